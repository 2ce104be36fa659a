// Writes test/doctor/fixtures/healthy.json from the facts of a healthy stack under its sample workload:
//   genai-obs doctor --probe --save-facts facts.json
//   node scripts/record-facts.mjs facts.json [namespace of the workload]
// Removes names of this machine and of other namespaces, and truncates lists to what the checks read.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const [input, workload = 'dev-demo'] = process.argv.slice(2);
if (!input) throw new Error('usage: node scripts/record-facts.mjs FACTS.json [WORKLOAD_NAMESPACE]');
const saved = JSON.parse(readFileSync(input, 'utf8'));
const own = saved.config.namespace;
const KEEP = new Set([own, workload, 'kube-system', 'local-path-storage', 'default', undefined]);

const failed = Object.entries(saved.facts).filter(([, fact]) => !fact.ok);
for (const [key, fact] of failed) process.stderr.write(`not recorded: ${key}: ${fact.error}\n`);

const LINES = 12;
const EVENTS = 25;

/** Whether the object belongs to another installation on the same cluster, or is a built-in role of Kubernetes. */
function foreign(object) {
  const { name, namespace } = object.metadata;
  if (object.kind === 'Namespace') return !KEEP.has(name);
  if (object.kind.startsWith('ClusterRole')) return !name.startsWith(`${own}-`) && name !== 'cluster-admin';
  if (object.kind === 'PersistentVolume') return !KEEP.has(object.spec.claimRef?.namespace);
  return !KEEP.has(namespace);
}

function cut(key, value) {
  if (key.startsWith('k8s:Event')) return value.filter((one) => !foreign(one)).slice(-EVENTS);
  if (key.startsWith('k8s:')) return value.filter((one) => !foreign(one));
  if (key.startsWith('logs:'))
    return Object.fromEntries(Object.entries(value).map(([pod, lines]) => [pod, lines.slice(-LINES)]));
  if (key === 'kubelet:stats') {
    const stats = structuredClone(value);
    for (const node of Object.values(stats))
      for (const pod of node.pods) pod.volume = pod.volume.filter((volume) => KEEP.has(volume.pvcRef?.namespace));
    return stats;
  }
  return value;
}

const RENAMES = [
  [own, 'genai-observability'],
  [workload, 'genai-demo'],
];

function rename(text) {
  let out = text;
  for (const [from, to] of RENAMES) out = out.replace(new RegExp(`(?<![A-Za-z0-9])${from}(?![A-Za-z0-9])`, 'g'), to);
  return out
    .replace(/(?<![A-Za-z0-9])dev-[a-z]+(?![A-Za-z0-9])/g, 'elsewhere')
    .replace(/https:\/\/[0-9.]+:6443/g, 'https://cluster.example:6443')
    .replace(/\/(root|home\/[a-z]+)\/[A-Za-z0-9._/-]*?\/(local-path|storage|volumes?|pvc-)/g, '/opt/local-path/$2')
    .replace(/\/(root|home\/[a-z]+)\/\.cache\/[A-Za-z0-9_-]+/g, '/opt/bed');
}

const facts = Object.fromEntries(
  Object.entries(saved.facts)
    .filter(([, fact]) => fact.ok)
    .map(([key, fact]) => [rename(key), JSON.parse(rename(JSON.stringify({ ok: true, value: cut(key, fact.value) })))])
    .sort(([a], [b]) => (a < b ? -1 : 1)),
);
// The context is named after the machine; checks only display it.
if (facts['cluster:ready']) facts['cluster:ready'].value.context = 'example';

const rows = Object.entries(facts).map(([key, fact]) => `${JSON.stringify(key)}: ${JSON.stringify(fact)}`);
const text = `{\n"takenAt": ${JSON.stringify(saved.takenAt)},\n"facts": {\n${rows.join(',\n')}\n}\n}\n`;
const leak = /\/root\/|\/home\/[a-z]|BEGIN [A-Z ]*PRIVATE|dev-[a-z]+/.exec(text);
if (leak) {
  const around = text.slice(Math.max(0, leak.index - 80), leak.index + 80);
  throw new Error(`the fixture would contain private data: ${JSON.stringify(around)}`);
}
writeFileSync(join(dirname(fileURLToPath(import.meta.url)), '../test/doctor/fixtures/healthy.json'), text);
process.stderr.write(`${rows.length} facts, ${Math.round(text.length / 1024)} KiB\n`);
