import type { JsonMap } from '../core/types.ts';
import { buildPlan } from '../engine/plan.ts';
import type { ReleaseStep, Step } from '../engine/types.ts';
import { profileLayer, profileNames, resolve } from '../profile/load.ts';
import type { ChartName } from './pins.ts';

/** One upstream chart as a profile installs it. */
export interface UpstreamRelease {
  /** `<profile>/<release>`: the key of its rendering in test/contracts. */
  case: string;
  release: string;
  namespace: string;
  chart: ChartName;
  values: JsonMap;
}

/** Every upstream release of every profile as it is delivered: what the contract tests hold against the charts' facts. */
export function upstreamReleases(): UpstreamRelease[] {
  return profileNames().flatMap((profile) => {
    const config = resolve([profileLayer(profile)]);
    return buildPlan(config)
      .filter(isUpstream)
      .map(({ release, chart, values }) => ({ case: `${profile}/${release}`, release, namespace: config.namespace, chart, values }));
  });
}

function isUpstream(step: Step): step is ReleaseStep & { chart: ChartName } {
  return step.kind === 'release' && 'source' in step && step.source === 'upstream';
}
