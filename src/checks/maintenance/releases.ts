import { at } from '../../core/json.ts';
import { type HelmRelease, type DriftRow } from '../lib/values.ts';
import { checksOf, type Verdict, type Check, ok, warn, fail } from '../lib/check.ts';
import { fact, type Facts } from '../lib/facts.ts';
import { imagesOf, workloadOf } from '../lib/objects.ts';
import { plural, list } from '../../core/text.ts';
import { imageOf } from '../../parts/catalog.ts';
import { ownAddons, releasesOf } from '../../components/addons/index.ts';
import { namespaceOf } from '../../profile/schema.ts';
import { enabledComponents, inNamespaces } from '../lib/place.ts';

const mnt = checksOf('MNT');

const WORKLOADS = ['StatefulSet', 'Deployment', 'DaemonSet'];

/** Charts are part of genai-obs, so other images mean another version of it or a manual change. */
function updates(facts: Facts): Verdict {
  const other = enabledComponents(facts.config).flatMap((id) => {
    const { image, workload, namespace } = facts.place(id);
    const running = imagesOf(at(workloadOf(facts, id), 'spec', 'template'));
    const wanted = imageOf(image, facts.config.global.imageRegistry);
    return running.length && !running.includes(wanted)
      ? [{ name: `${workload.kind} ${namespace}/${workload.name}`, id, running: running[0] ?? '', wanted }]
      : [];
  });
  const first = other[0];
  if (!first) return ok(`all ${enabledComponents(facts.config).length} components run the images of this genai-obs`);
  return warn(
    `${first.id} runs ${first.running}, this genai-obs installs ` +
      `${first.wanted}${other.length > 1 ? `; ${other.length - 1} more differ` : ''}`,
    {
      object: first.name,
      cause: 'the stack was installed by another version of genai-obs, or the image was changed manually',
      fix: 'genai-obs plan, then genai-obs install',
    },
  );
}

/** Long texts are shortened: with the same beginning, printing both shows no difference. */
function difference({ object, path, from, to }: DriftRow): string {
  if (!path) return `${object} is missing`;
  return from.length > 30 && from.slice(0, 30) === to.slice(0, 30)
    ? `${object} ${path} has other content`
    : `${object} ${path}: ${from} instead of ${to}`;
}

function releases(facts: Facts): Verdict {
  const found = facts.releases();
  const wanted = releasesOf(facts.config);
  const place = ({ namespace = facts.namespace, name }: Pick<HelmRelease, 'name' | 'namespace'>) =>
    `${namespace}/${name}`;
  const ours = new Set(wanted.map(place));
  const resume = { cause: 'an installation was interrupted or failed', fix: 'genai-obs install resumes it' };
  const bad = found.filter((one) => ours.has(place(one)) && one.status !== 'deployed');
  const missing = wanted.filter((want) => !found.some((one) => place(one) === place(want)));
  const first = bad[0];
  if (first)
    return fail(list(bad.map((one) => `release ${one.name} revision ${one.revision} is ${one.status}`)), {
      ...resume,
      object: `release ${place(first)}`,
    });
  if (missing[0])
    return fail(`no release of ${list(missing.map(({ name }) => name))}`, {
      ...resume,
      object: `release ${place(missing[0])}`,
    });
  const drift = facts.drift();
  const changed = drift[0];
  if (!changed) return ok(`${wanted.length} releases deployed, live objects as planned`);
  const rows = drift.map(difference);
  return warn(`${plural(drift.length, 'difference')} from the plan: ${list(rows, 2)}`, {
    object: changed.object,
    cause: 'objects were changed manually or by another tool',
    fix: 'genai-obs plan shows them, genai-obs install restores them',
  });
}

function installed(facts: Facts): Verdict {
  const addons = ownAddons(facts.config).map(({ id, workloads }) => {
    const namespace = namespaceOf(facts.config, id);
    return { namespace, there: workloads(facts.config).some(({ kind, name }) => facts.find(kind, name, namespace)) };
  });
  const components = enabledComponents(facts.config).map((id) => ({
    namespace: namespaceOf(facts.config, id),
    there: workloadOf(facts, id) !== undefined,
  }));
  const wanted = [...components, ...addons];
  const there = wanted.filter((one) => one.there);
  const where = inNamespaces([...new Set(wanted.map(({ namespace }) => namespace))]);
  if (there.length) return ok(`${there.length} of ${wanted.length} components are ${where}`);
  return fail(`none of ${wanted.length} components is ${where}`, {
    object: `Namespace ${facts.namespace}`,
    cause: 'genai-obs is not installed there',
    fix: 'genai-obs install, or name the right namespace: genai-obs doctor --namespace NAME',
  });
}

export const releaseChecks: Check[] = [
  mnt('04', 'Components have the images of this genai-obs', {
    about:
      'Compares the images of the components with those that this genai-obs installs; works offline. ' +
      'Warning: another version installed the stack, or an image was changed manually. Run plan, then ' +
      'install.',
    sources: '000-UPG-01',
    reads: () => WORKLOADS.map((kind) => fact.objects(kind)),
    run: updates,
  }),
  mnt('05', 'Releases are deployed and unchanged', {
    about:
      'Reads the Helm release of every component and compares live objects with the plan. Failed: a ' +
      'release is missing, failed or pending; `genai-obs install` resumes. Warning: objects differ ' +
      'from the plan.',
    sources: '000-INST-14',
    reads: [fact.releases(), fact.drift()],
    run: releases,
  }),
  mnt('08', 'The stack is installed', {
    about:
      'Looks for workloads of the profile in its namespaces. Failed: none exists; this explains every ' +
      'other finding of the stack. Run install, or name the right namespace.',
    sources: 'genai-obs',
    reads: () => WORKLOADS.map((kind) => fact.objects(kind)),
    dependsOn: ['PRE-26'],
    run: installed,
  }),
];
