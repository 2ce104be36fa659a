import { bed } from './bed.ts';
import { kubectl } from './cluster.ts';

const NAME = 'it-simulated';

const TOLERATION = '{"key": "kwok.x-k8s.io/node", "operator": "Exists", "effect": "NoSchedule"}';
/** Moves every pod to the fake nodes. A DaemonSet selects nodes by its template, whose other fields stay unchanged. */
const TO_FAKE_NODES = `object.kind == "Pod"
  ? [
      JSONPatch{op: "add", path: "/spec/nodeSelector", value: {"type": "kwok"}},
      JSONPatch{op: "add", path: "/spec/tolerations", value: [${TOLERATION}]}
    ]
  : [
      has(object.spec.template.spec.nodeSelector)
        ? JSONPatch{op: "add", path: "/spec/template/spec/nodeSelector/type", value: "kwok"}
        : JSONPatch{op: "add", path: "/spec/template/spec/nodeSelector", value: {"type": "kwok"}}
    ] + (!has(object.spec.template.spec.tolerations)
      ? [JSONPatch{op: "add", path: "/spec/template/spec/tolerations", value: [${TOLERATION}]}]
      : object.spec.template.spec.tolerations.exists(one, !has(one.key))
        ? []
        : [JSONPatch{op: "add", path: "/spec/template/spec/tolerations/-", value: ${TOLERATION}}])`;

/**
 * Adds fake nodes and schedules every pod of these namespaces there, where it becomes ready without an image.
 * Creates `volumes` volumes of the class `it-simulated`, so that claims bind immediately.
 */
export async function simulate(namespaces: string[], volumes = 0): Promise<void> {
  await bed('kwok', '2');
  const policy = {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'MutatingAdmissionPolicy',
    metadata: { name: NAME },
    spec: {
      failurePolicy: 'Fail',
      reinvocationPolicy: 'Never',
      matchConstraints: {
        namespaceSelector: {
          matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces }],
        },
        resourceRules: [
          { apiGroups: [''], apiVersions: ['v1'], resources: ['pods'], operations: ['CREATE'] },
          { apiGroups: ['apps'], apiVersions: ['v1'], resources: ['daemonsets'], operations: ['CREATE', 'UPDATE'] },
        ],
      },
      mutations: [{ patchType: 'JSONPatch', jsonPatch: { expression: TO_FAKE_NODES } }],
    },
  };
  const binding = {
    apiVersion: policy.apiVersion,
    kind: 'MutatingAdmissionPolicyBinding',
    metadata: { name: NAME },
    spec: { policyName: NAME },
  };
  const storage = {
    apiVersion: 'storage.k8s.io/v1',
    kind: 'StorageClass',
    metadata: { name: NAME },
    provisioner: 'kubernetes.io/no-provisioner',
    volumeBindingMode: 'Immediate',
  };
  const disks = Array.from({ length: volumes }, (_, i) => ({
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
  const items = [policy, binding, storage, ...disks];
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
}

export const SIMULATED_CLASS = NAME;

export async function endSimulation(): Promise<void> {
  for (const kind of ['mutatingadmissionpolicybinding', 'mutatingadmissionpolicy', 'storageclass'])
    await kubectl(['delete', kind, NAME, '--ignore-not-found']);
  const names = (await kubectl(['get', 'pv', '-o', 'name'])).split('\n').filter((name) => name.includes(NAME));
  if (names.length) await kubectl(['delete', ...names]);
  await bed('kwok', '0');
}
