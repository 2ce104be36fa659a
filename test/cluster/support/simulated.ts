import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { ROOT } from '../../../src/core/assets.ts';
import { kubectl, run } from './cluster.ts';

const NAME = 'it-simulated';

/** KWOK is built for the bed by: test/bed/bed build kwok. */
export const hasKwok = existsSync(join(process.env['BED'] ?? join(homedir(), '.cache', 'genai-obs-bed'), 'bin', 'kwok'));

/**
 * Joins nodes whose pods run without a process, and sends every pod of these namespaces there, whatever made it:
 * what has no image here is installed with every phase and wait. Volumes of the class `it-simulated` are there at once.
 */
export async function simulate(namespaces: string[], volumes = 0): Promise<void> {
  const joined = await run(join(ROOT, 'test', 'bed', 'bed'), ['kwok', '2']);
  if (joined.code !== 0) throw new Error(`bed kwok 2: ${joined.stderr}`);
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicy',
    metadata: { name: NAME },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: {
        namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces }] },
        resourceRules: [{ apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] }],
      },
      mutations: [
        {
          patchType: 'ApplyConfiguration',
          applyConfiguration: {
            expression:
              'Object{spec: Object.spec{nodeSelector: {"type": "kwok"}, tolerations: [Object.spec.tolerations{key: "kwok.x-k8s.io/node", operator: "Exists", effect: "NoSchedule"}]}}',
          },
        },
      ],
    },
  };
  const binding = { apiVersion: policy.apiVersion, kind: 'MutatingAdmissionPolicyBinding', metadata: { name: NAME }, spec: { policyName: NAME } };
  const storage = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: NAME },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'Immediate',
  };
  const discs = Array.from({ length: volumes }, (_, i) => ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `${NAME}-${i}` },
    spec: {
      storageClassName: NAME,
      capacity: { storage: '1Ti' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      hostPath: { path: `/nowhere/${i}` },
    },
  }));
  const items = [policy, binding, storage, ...discs];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

export const SIMULATED_CLASS = NAME;

export async function endSimulation(): Promise<void> {
  for (const kind of ['mutatingadmissionpolicybinding', 'mutatingadmissionpolicy', 'storageclass']) await kubectl(['delete', kind, NAME, '--ignore-not-found']);
  const names = (await kubectl(['get', 'pv', '-o', 'name'])).split('\n').filter((name) => name.includes(NAME));
  if (names.length) await kubectl(['delete', ...names]);
  await run(join(ROOT, 'test', 'bed', 'bed'), ['kwok', '0']);
}
