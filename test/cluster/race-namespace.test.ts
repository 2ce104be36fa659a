import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type KubeItem,
  cli,
  cliOk,
  footprint,
  get,
  kubectl,
  uninstallOnInterrupt,
  normalised,
  removeAll,
  revisions,
  run,
} from './support/cluster.ts';
import { appliedBy } from './support/install.ts';

const NS = 'it-space';
/** Three releases, with claims, a cluster role and a ConfigMap of ours. */
const SMALL = [
  'install',
  '--namespace',
  NS,
  '--yes',
  '--json',
  '--skip',
  'verify',
  '--disable',
  'loki,tempo,grafana,opentelemetry-collector,opentelemetry-node-collector,opentelemetry-cluster-collector',
];
const UNINSTALL = ['uninstall', '--namespace', NS, '--yes'];

const clean = async (): Promise<void> => {
  await removeAll(NS);
  await run('kubectl', ['delete', 'namespace', NS, '--ignore-not-found', '--wait', '--timeout=120s']);
};
const identity = async (): Promise<object> => {
  const { metadata } = await get<KubeItem & { metadata: { uid: string } }>('namespace', NS);
  return { uid: metadata.uid, labels: metadata.labels, annotations: metadata.annotations };
};

beforeAll(async () => {
  uninstallOnInterrupt(NS);
  await clean();
});
afterEach(clean);

describe('namespaces', () => {
  it('an existing namespace stays unchanged', async () => {
    await kubectl(['create', 'namespace', NS]);
    await kubectl(['label', 'namespace', NS, 'team=theirs']);
    const before = { footprint: await footprint(NS), identity: await identity() };
    await cliOk(SMALL);
    expect(await identity()).toEqual(before.identity);
    expect(appliedBy(await cliOk(SMALL))).toEqual([]);
    await cliOk([...UNINSTALL, '--delete-data']);
    expect(await identity()).toEqual(before.identity);
    expect(await footprint(NS)).toEqual(before.footprint);
  });

  it('our namespace is kept while it contains objects of others', async () => {
    await cliOk(SMALL);
    await kubectl(['-n', NS, 'create', 'configmap', 'theirs', '--from-literal=a=b']);
    const { stderr } = await cliOk([...UNINSTALL, '--delete-data']);
    expect(stderr).toContain(`kept: namespace ${NS}, because it holds objects of others: ConfigMap ${NS}/theirs`);
    expect((await footprint(NS)).filter((line) => !/kube-root-ca\.crt|\/default$/.test(line))).toEqual([
      `ConfigMap ${NS}/theirs`,
      `Namespace /${NS}`,
    ]);
    await kubectl(['-n', NS, 'delete', 'configmap', 'theirs']);
    await cliOk([...UNINSTALL, '--delete-data']);
    expect(await footprint(NS)).toEqual([]);
  });

  it('without --delete-data, claims and Secrets are kept and a new install uses them', async () => {
    await cliOk(SMALL);
    const claim = await get<KubeItem & { metadata: { uid: string } }>('pvc', 'alertmanager-data', '-n', NS);
    const { stderr } = await cliOk(UNINSTALL);
    expect(stderr).toContain(`kept: PersistentVolumeClaim ${NS}/alertmanager-data`);
    await cliOk(SMALL);
    expect(
      (await get<KubeItem & { metadata: { uid: string } }>('pvc', 'alertmanager-data', '-n', NS)).metadata.uid,
    ).toBe(claim.metadata.uid);
  });
});

describe('Helm 4', () => {
  const helm4 = { GENAI_OBS_HELM: 'helm4' };

  it('installs, has nothing to do, repairs, works alternately with Helm 3, and removes everything', async () => {
    await cliOk(SMALL, helm4);
    const whole = await normalised(NS);
    const first = await revisions(NS);
    expect(appliedBy(await cliOk(SMALL, helm4))).toEqual([]);
    expect(await revisions(NS)).toEqual(first);

    // Helm 4 uses server-side apply, so fields that kubectl edits change their owner.
    await kubectl(['-n', NS, 'scale', 'deployment', 'kube-state-metrics', '--replicas=0']);
    await kubectl(['-n', NS, 'set', 'image', 'statefulset/alertmanager', '*=example.invalid/none:1']);
    await kubectl(['-n', NS, 'delete', 'service', 'prometheus-server']);
    expect(appliedBy(await cliOk(SMALL, helm4)).toSorted()).toEqual([
      'release/alertmanager',
      'release/kube-state-metrics',
      'release/prometheus',
    ]);
    expect(await normalised(NS)).toEqual(whole);

    // One user has Helm 3, another one Helm 4.
    expect(appliedBy(await cliOk(SMALL))).toEqual([]);
    expect(appliedBy(await cliOk([...SMALL, '--retention', '7d']))).toEqual(['release/prometheus']);
    expect(appliedBy(await cliOk([...SMALL, '--retention', '9d'], helm4))).toEqual(['release/prometheus']);

    const { code } = await cli([...UNINSTALL, '--delete-data'], helm4);
    expect(code).toBe(0);
    expect(await footprint(NS)).toEqual([]);
  });
});
