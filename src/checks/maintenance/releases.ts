import { CATALOG, imageOf } from '../../components/catalog.ts';
import { count, names } from '../../doctor/quantity.ts';
import { containers, specOf } from '../../doctor/shapes.ts';
import type { Check, Look, Verdict } from '../../doctor/types.ts';
import { fail, ok, warn } from '../../doctor/types.ts';
import { COMPONENT_IDS, type Config, isEnabled } from '../../profile/schema.ts';
import type { KubeObject } from '../../core/types.ts';

const base = { area: 'MNT', stage: 'stack' } as const;

const enabled = (config: Config) => COMPONENT_IDS.filter((id) => isEnabled(config, id));

const WORKLOADS = ['StatefulSet', 'Deployment', 'DaemonSet'];

/** The charts come with genai-obs, so an update is a newer genai-obs: are the images that run its own? */
function updates(look: Look): Verdict {
  const other = enabled(look.config).flatMap((id) => {
    const { image, workload } = CATALOG[id];
    const live = look.find(workload.kind, workload.name);
    const template = live ? (specOf<{ template: KubeObject }>(live).template as KubeObject) : undefined;
    const running = template ? containers(template).map((one) => one.image ?? '') : [];
    const wanted = imageOf(image, look.config.global.imageRegistry);
    return running.length && !running.includes(wanted) ? [{ id, workload, running: running[0] ?? '', wanted }] : [];
  });
  const first = other[0];
  if (!first) return ok(`all ${enabled(look.config).length} components run the images of this genai-obs`);
  return warn(`${first.id} runs ${first.running}, this genai-obs brings ${first.wanted}${other.length > 1 ? `; ${other.length - 1} more differ` : ''}`, {
    object: `${first.workload.kind} ${look.namespace}/${first.workload.name}`,
    cause: 'the stack was installed by another version of genai-obs, or the image was changed by hand',
    fix: 'genai-obs plan, then genai-obs install',
  });
}

interface Release {
  name: string;
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
  return from.length > 30 && from.slice(0, 30) === to.slice(0, 30) ? `${object} ${path} has other content` : `${object} ${path}: ${from} instead of ${to}`;
}

function releases(look: Look): Verdict {
  const found = look.fact<Release[]>('releases:helm');
  const wanted: string[] = enabled(look.config);
  const resume = { cause: 'an installation was broken off or failed', fix: 'genai-obs install carries on from here' };
  const bad = found.filter((one) => wanted.includes(one.name) && one.status !== 'deployed');
  const missing = wanted.filter((id) => !found.some((one) => one.name === id));
  const first = bad[0];
  if (first)
    return fail(names(bad.map((one) => `release ${one.name} revision ${one.revision} is ${one.status}`)), {
      ...resume,
      object: `release ${look.namespace}/${first.name}`,
    });
  if (missing.length) return fail(`no release of ${names(missing)}`, { ...resume, object: `release ${look.namespace}/${missing[0]}` });
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
  const wanted = enabled(look.config);
  const there = wanted.filter((id) => look.find(CATALOG[id].workload.kind, CATALOG[id].workload.name));
  if (there.length) return ok(`${there.length} of ${wanted.length} components are in namespace ${look.namespace}`);
  return fail(`none of ${wanted.length} components is in namespace ${look.namespace}`, {
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
      'Every component’s Helm release is deployed (failed, pending or missing: failed; `genai-obs install` carries on), and live objects are as planned (differences: a warning).',
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
