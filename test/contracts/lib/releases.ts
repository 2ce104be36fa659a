import type { ChartName } from '../../../src/charts/pins.ts';
import { ADDONS } from '../../../src/components/addons/index.ts';
import { canonical } from '../../../src/core/compare.ts';
import type { JsonMap } from '../../../src/core/types.ts';
import { buildPlan } from '../../../src/engine/plan/index.ts';
import type { Step } from '../../../src/engine/steps/index.ts';
import type { AddonId } from '../../../src/profile/schema.ts';
import { type Layer, extended, profileLayer, profileNames } from '../../../src/profile/layers.ts';
import { resolve } from '../../../src/profile/resolve.ts';

/** One upstream chart as a profile installs it. */
export interface UpstreamRelease {
  /** `<profile>/<release>` or `<profile>+addons/<release>`: the key of its rendering in test/contracts. */
  case: string;
  release: string;
  namespace: string;
  chart: ChartName;
  values: JsonMap;
}

/**
 * Every upstream release of every profile with its defaults.
 * In addition, as `<profile>+addons`, each release that is new or different when every add-on is enabled.
 */
export function upstreamReleases(): UpstreamRelease[] {
  const releases = plans().flatMap(({ name, steps }) =>
    steps.flatMap((step) =>
      step.kind === 'release' && step.chart.source === 'upstream'
        ? [
            {
              case: `${name}/${step.release}`,
              release: step.release,
              namespace: step.namespace,
              chart: step.chart.name,
              values: step.values,
            },
          ]
        : [],
    ),
  );
  const sameAs = ({ release, chart, values }: UpstreamRelease): string => canonical([release, chart, values]);
  const first = new Map(releases.toReversed().map((one) => [sameAs(one), one]));
  return releases.filter((one) => !one.case.includes('+addons/') || first.get(sameAs(one)) === one);
}

/** Values passed to upstream charts, including those for rendering CRDs; `case` names the profile and the release. */
export function upstreamValues(): Pick<UpstreamRelease, 'case' | 'chart' | 'values'>[] {
  const definitions = plans().flatMap(({ name, steps }) =>
    steps.flatMap((step) =>
      step.kind === 'crds' ? [{ case: `${name}/${step.id}`, chart: step.chart, values: step.values }] : [],
    ),
  );
  return [...upstreamReleases(), ...definitions];
}

/** Required settings of add-ons. */
const REQUIRED: Partial<Record<AddonId, JsonMap>> = {
  'csi-driver-nfs': { server: 'nfs.example.com' },
  'cloudwatch-exporter': { regions: ['us-west-2'], roleArn: 'arn:aws:iam::000000000000:role/cloudwatch' },
};

/** Plans of the profiles with their defaults, then with every add-on. */
function plans(): { name: string; steps: Step[] }[] {
  const addons: Layer = {
    source: 'every add-on',
    data: {
      ...Object.fromEntries(ADDONS.map(({ id }) => [id, { enabled: true, ...REQUIRED[id] }])),
      storage: { s3: { enabled: true } },
    },
  };
  const plan = (name: string, profile: string, more: Layer[]): { name: string; steps: Step[] } => ({
    name,
    steps: buildPlan(resolve([...extended(profileLayer(profile)), ...more])),
  });
  const profiles = profileNames();
  return [
    ...profiles.map((profile) => plan(profile, profile, [])),
    ...profiles.map((profile) => plan(`${profile}+addons`, profile, [addons])),
  ];
}
