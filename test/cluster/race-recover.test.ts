import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect } from '../../src/adapters/kube.ts';
import {
  cli,
  cliOk,
  eventually,
  footprint,
  get,
  kubectl,
  uninstallOnInterrupt,
  normalised,
  removeAll,
  revisions,
  service,
} from './support/cluster.ts';
import { appliedBy, pending } from './support/install.ts';
import { errorOf } from './support/refusal.ts';
import { craftRecord } from './support/release.ts';

const NS = 'it-recover';
const INSTALL = ['install', '--namespace', NS, '--yes', '--json', '--skip', 'verify'];
const DIR = mkdtempSync(join(tmpdir(), 'genai-obs-recover-'));

const uids = async (kind: string): Promise<Record<string, string>> => {
  const { items } = await get<{ items: { metadata: { name: string; uid: string; deletionTimestamp?: string } }[] }>(
    kind,
    '-n',
    NS,
  );
  // Objects still being deleted are from the previous test.
  return Object.fromEntries(
    items.filter(({ metadata }) => !metadata.deletionTimestamp).map(({ metadata }) => [metadata.name, metadata.uid]),
  );
};
const without = <T>(map: Record<string, T>, ...starts: string[]): Record<string, T> =>
  Object.fromEntries(Object.entries(map).filter(([name]) => !starts.some((start) => name.startsWith(start))));

/** The tests share one installation and run in order. */
describe('an installation that was interrupted or edited', () => {
  let whole: Record<string, unknown>;

  beforeAll(async () => {
    uninstallOnInterrupt(NS);
    await removeAll(NS);
    await cliOk(INSTALL);
    whole = await normalised(NS);
  });
  afterAll(async () => {
    rmSync(DIR, { recursive: true, force: true });
    await removeAll(NS);
  });

  it('recovers releases in pending-install and pending-upgrade without losing data', async () => {
    const mark = `written before the crash ${Date.now()}`;
    const kube = await connect();
    const body = JSON.stringify({
      streams: [{ stream: { service_name: 'it-recover' }, values: [[`${Date.now()}000000`, mark]] }],
    });
    const { status } = await kube.service(NS, 'loki', 3100, '/loki/api/v1/push', { method: 'POST', body });
    kube.close();
    expect(status).toBe(204);
    const found = (): Promise<true> =>
      eventually('the line in Loki', async () => {
        const query = encodeURIComponent('{service_name="it-recover"}');
        return (
          JSON.stringify(await service(NS, 'loki', 3100, `/loki/api/v1/query_range?query=${query}`)).includes(mark) ||
          undefined
        );
      });
    await found();
    const claims = await uids('pvc');
    const others = without(await revisions(NS), 'loki', 'tempo');

    await craftRecord(NS, 'loki', 1, 1, 'pending-install');
    await craftRecord(NS, 'tempo', 1, 2, 'pending-upgrade');
    const plan = await cliOk(['plan', '--namespace', NS]);
    expect(plan.stdout).toContain('revision 1 is pending-install');
    expect(plan.stdout).toContain('revision 2 is pending-upgrade');
    expect((await cli(['status', '--namespace', NS])).code).toBe(3);

    expect(appliedBy(await cliOk(INSTALL)).toSorted()).toEqual(['release/loki', 'release/tempo']);
    expect(await pending(NS)).toEqual([]);
    expect(await normalised(NS)).toEqual(whole);
    expect(await uids('pvc'), 'the claims were not recreated').toEqual(claims);
    expect(without(await revisions(NS), 'loki', 'tempo')).toEqual(others);
    await found();
    expect(appliedBy(await cliOk(INSTALL))).toEqual([]);
  });

  it('reports a helm that was killed during an upgrade, and the next install completes it', async () => {
    const helm = join(DIR, 'helm');
    const real = process.env['GENAI_OBS_HELM'] ?? 'helm';
    const record = 'owner=helm,name=opentelemetry-cluster-collector,status=pending-upgrade';
    writeFileSync(
      helm,
      `#!/bin/sh
case "$1 $3" in
"upgrade opentelemetry-cluster-collector")
  ${real} "$@" --wait >/dev/null 2>&1 &
  until kubectl -n ${NS} get secret -l ${record} -o name | grep -q . || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
  kill -9 $!; kill -9 $$;;
*) exec ${real} "$@";;
esac
`,
    );
    chmodSync(helm, 0o755);
    const broken = await cli(
      [...INSTALL.filter((arg) => arg !== '--json'), '--cluster-name', 'renamed', '--only', 'namespaces,collectors'],
      {
        GENAI_OBS_HELM: helm,
      },
    );
    expect(broken.code, broken.stderr).toBe(1);
    const { what, on, cause, next } = errorOf(broken);
    expect(what).toBe('helm could not apply a release');
    expect(on).toBe(`release ${NS}/opentelemetry-cluster-collector`);
    expect(cause).toContain('SIGKILL');
    expect(next).not.toBe('');
    expect(await pending(NS)).toEqual(['opentelemetry-cluster-collector pending-upgrade']);

    await cliOk(INSTALL);
    expect(await pending(NS)).toEqual([]);
    const live = JSON.stringify(await get('deployment', 'opentelemetry-cluster-collector', '-n', NS));
    expect(live).toContain('renamed');
    // Restore the state that the other tests start from.
    await cliOk([...INSTALL, '--cluster-name', 'genai-obs']);
    expect(await normalised(NS)).toEqual(whole);
  });

  it('repairs what was edited or deleted by hand, and changes nothing else', async () => {
    const edited = ['kube-state-metrics', 'tempo', 'opentelemetry-collector'];
    const before = { revisions: await revisions(NS), pods: await uids('pod') };
    await kubectl(['-n', NS, 'set', 'image', 'deployment/kube-state-metrics', '*=example.invalid/none:1']);
    await kubectl(['-n', NS, 'delete', 'configmap', 'genai-dashboards']);
    await kubectl(['-n', NS, 'delete', 'service', 'tempo']);
    await kubectl(['patch', 'clusterrole', `${NS}-opentelemetry-collector`, '--type=merge', '-p', '{"rules":[]}']);

    const plan = await cli(['plan', '--namespace', NS, '--exit-code']);
    expect(plan.code).toBe(3);
    for (const line of [
      `+ ConfigMap ${NS}/genai-dashboards`,
      `+ Service ${NS}/tempo`,
      `~ Deployment ${NS}/kube-state-metrics`,
      `~ ClusterRole ${NS}-opentelemetry-collector`,
      '2 to create, 2 to change, 0 to delete',
    ])
      expect(plan.stdout).toContain(line);

    expect(appliedBy(await cliOk(INSTALL)).toSorted()).toEqual(
      ['dashboards', ...edited.map((name) => `release/${name}`)].toSorted(),
    );
    expect(await normalised(NS)).toEqual(whole);
    const after = await revisions(NS);
    expect(without(after, ...edited)).toEqual(without(before.revisions, ...edited));
    for (const name of edited) expect(after[name], name).toBe((before.revisions[name] ?? 0) + 1);
    // Repairing a Service or a role restarts no pod.
    expect(without(await uids('pod'), 'kube-state-metrics')).toEqual(without(before.pods, 'kube-state-metrics'));
    expect((await cli(['plan', '--namespace', NS, '--exit-code'])).code).toBe(0);
  });

  it('a new budget changes only the rules and Prometheus, and later installs keep it', async () => {
    const before = { revisions: await revisions(NS), pods: await uids('pod'), claims: await uids('pvc') };
    expect(appliedBy(await cliOk([...INSTALL, '--budget', '250'])).toSorted()).toEqual(['release/prometheus', 'rules']);
    expect(without(await revisions(NS), 'prometheus')).toEqual(without(before.revisions, 'prometheus'));
    expect(without(await uids('pod'), 'prometheus')).toEqual(without(before.pods, 'prometheus'));
    expect(await uids('pvc')).toEqual(before.claims);
    expect(JSON.stringify(await get('configmap', 'prometheus-rules', '-n', NS))).toContain('vector(250)');
    // An install without flags uses the settings in the journal.
    expect(appliedBy(await cliOk(INSTALL))).toEqual([]);
  });

  it('a disabled component is deleted, its claim is kept, and enabling it again restores it', async () => {
    const plan = await cliOk(['plan', '--namespace', NS, '--disable', 'loki']);
    expect(plan.stdout).toContain(`- StatefulSet ${NS}/loki`);
    await cliOk(['install', '--namespace', NS, '--yes', '--skip', 'preflight,verify', '--disable', 'loki']);
    expect((await get('statefulset', '-n', NS)).items.map((one) => one.metadata.name)).not.toContain('loki');
    expect((await get('pvc', '-n', NS)).items.map((one) => one.metadata.name)).toContain('loki-data');
    await cliOk(['install', '--namespace', NS, '--yes', '--skip', 'preflight,verify', '--profile', 'quickstart']);
    expect((await get('statefulset', '-n', NS)).items.map((one) => one.metadata.name)).toContain('loki');
  });

  it('uninstall removes everything, even a release whose helm record is missing', async () => {
    await kubectl(['-n', NS, 'delete', 'secret', '-l', 'owner=helm,name=opentelemetry-node-collector']);
    await cliOk(['uninstall', '--namespace', NS, '--delete-data', '--yes']);
    expect(await footprint(NS)).toEqual([]);
  });
});
