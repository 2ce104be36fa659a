import { imageOf } from '../../parts/catalog.ts';
import { ownAddons, releasesOf } from '../../components/addons/index.ts';
import { count, names } from '../../doctor/quantity.ts';
import { containers, specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, warn } from '../../doctor/types.ts';
import { COMPONENT_IDS, type Config, isEnabled, namespaceOf } from '../../profile/schema.ts';
import { inNamespaces } from '../helpers/place.ts';
import { workloadOf } from '../helpers/pods.ts';
import type { KubeObject } from '../../core/types.ts';

const base = { area: 'MNT', stage: 'stack' } as const;

const enabled = (config: Config) => COMPONENT_IDS.filter((id) => isEnabled(config, id));

const WORKLOADS = ['StatefulSet', 'Deployment', 'DaemonSet'];

/** The charts come with genai-obs, so an update is a newer genai-obs: are the images that run its own? */
function updates(look: Look): Verdict {
  const other = enabled(look.config).flatMap((id) => {
    const { image, workload, namespace } = look.place(id);
    const live = workloadOf(look, id);
    const template = live ? (specOf<{ template: KubeObject }>(live).template as KubeObject) : undefined;
    const running = template ? containers(template).map((one) => one.image ?? '') : [];
    const wanted = imageOf(image, look.config.global.imageRegistry);
    return running.length && !running.includes(wanted)
      ? [{ name: `${workload.kind} ${namespace}/${workload.name}`, id, running: running[0] ?? '', wanted }]
      : [];
  });
  const first = other[0];
  if (!first) return ok(`all ${enabled(look.config).length} components run the images of this genai-obs`);
  return warn(
    `${first.id} runs ${first.running}, this genai-obs brings ${first.wanted}${other.length > 1 ? `; ${other.length - 1} more differ` : ''}`,
    {
      object: first.name,
      cause: 'the stack was installed by another version of genai-obs, or the image was changed by hand',
      fix: 'genai-obs plan, then genai-obs install',
    },
  );
}

interface Release {
  name: string;
  /** Facts of older versions know only one. */
  namespace?: string;
  revision: number;
  status: string;
}

interface Drift {
  object: string;
  path: string;
  from: string;
  to: string;
}

/** Long texts arrive shortened: where both begin alike, showing them tells nothing. */
function difference({ object, path, from, to }: Drift): string {
  if (!path) return `${object} is missing`;
  return from.length > 30 && from.slice(0, 30) === to.slice(0, 30)
    ? `${object} ${path} has other content`
    : `${object} ${path}: ${from} instead of ${to}`;
}

function releases(look: Look): Verdict {
  const found = look.fact<Release[]>('releases:helm');
  const wanted = releasesOf(look.config);
  const place = ({ namespace = look.namespace, name }: Pick<Release, 'name' | 'namespace'>) => `${namespace}/${name}`;
  const ours = new Set(wanted.map(place));
  const resume = { cause: 'an installation was broken off or failed', fix: 'genai-obs install carries on from here' };
  const bad = found.filter((one) => ours.has(place(one)) && one.status !== 'deployed');
  const missing = wanted.filter((want) => !found.some((one) => place(one) === place(want)));
  const first = bad[0];
  if (first)
    return fail(names(bad.map((one) => `release ${one.name} revision ${one.revision} is ${one.status}`)), {
      ...resume,
      object: `release ${place(first)}`,
    });
  if (missing[0])
    return fail(`no release of ${names(missing.map(({ name }) => name))}`, {
      ...resume,
      object: `release ${place(missing[0])}`,
    });
  const drift = look.fact<Drift[]>('drift:plan');
  const changed = drift[0];
  if (!changed) return ok(`${wanted.length} releases deployed, live objects as planned`);
  const rows = drift.map(difference);
  return warn(`${count(drift.length, 'difference')} from the plan: ${names(rows, 2)}`, {
    object: changed.object,
    cause: 'objects were changed by hand or by another tool',
    fix: 'genai-obs plan shows them, genai-obs install puts them back',
  });
}

function installed(look: Look): Verdict {
  const addons = ownAddons(look.config).map(({ id, workloads }) => {
    const namespace = namespaceOf(look.config, id);
    return { namespace, there: workloads(look.config).some(({ kind, name }) => look.find(kind, name, namespace)) };
  });
  const components = enabled(look.config).map((id) => ({
    namespace: namespaceOf(look.config, id),
    there: workloadOf(look, id) !== undefined,
  }));
  const wanted = [...components, ...addons];
  const there = wanted.filter((one) => one.there);
  const where = inNamespaces([...new Set(wanted.map(({ namespace }) => namespace))]);
  if (there.length) return ok(`${there.length} of ${wanted.length} components are ${where}`);
  return fail(`none of ${wanted.length} components is ${where}`, {
    object: `Namespace ${look.namespace}`,
    cause: 'genai-obs is not installed there',
    fix: 'genai-obs install, or name the right namespace: genai-obs doctor --namespace NAME',
  });
}

export const releaseChecks: Check[] = [
  {
    ...base,
    id: 'MNT-04',
    title: 'Components are of this genai-obs',
    about:
      'The charts come with genai-obs: images that differ from its own mean that another version installed the stack, or that somebody changed them. Works offline.',
    sources: '000-UPG-01',
    reads: () => WORKLOADS.map((kind) => `k8s:${kind}`),
    run: updates,
  },
  {
    ...base,
    id: 'MNT-05',
    title: 'Releases are deployed and unchanged',
    about:
      'The Helm release of every component is deployed (failed, pending or missing: failed; `genai-obs install` carries on), and live objects are as planned (differences: a warning).',
    sources: '000-INST-14',
    reads: () => ['releases:helm', 'drift:plan'],
    run: releases,
  },
  {
    ...base,
    id: 'MNT-08',
    title: 'The stack is installed',
    about:
      'A check of our own, beyond appendix 1: at least one workload of the profile exists in the namespace. When none does, every other check of the stack is explained by this.',
    sources: 'genai-obs',
    reads: () => WORKLOADS.map((kind) => `k8s:${kind}`),
    dependsOn: ['PRE-26'],
    run: installed,
  },
];
