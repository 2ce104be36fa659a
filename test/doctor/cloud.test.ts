import type { FactMap } from '../../src/checks/lib/facts.ts';
import { describe, expect, it } from 'vitest';
import { releaseChecks } from '../../src/checks/maintenance/releases.ts';
import { cloudArea } from '../../src/checks/cloud.ts';
import { ownAddons, releasesOf } from '../../src/components/addons/index.ts';
import type { KubeObject } from '../../src/core/types.ts';
import { diagnose } from '../../src/doctor/run.ts';
import { namespaceOf } from '../../src/profile/schema.ts';
import { profile } from '../unit/support/config.ts';
import { describeArea } from './support.ts';

describeArea('cloud', cloudArea.checks);

/** A profile that has no component of ours at all: everything is made by one add-on. */
describe('grafana-cloud', () => {
  const config = profile('grafana-cloud', {
    'k8s-monitoring': { destination: { otlp: { url: 'https://otlp.example/otlp', user: '1' } } },
  });
  const fact = (value: unknown) => ({ ok: true as const, value });

  function findings(objects: KubeObject[], releases: object[]): string[] {
    const of = (kind: string) => fact(objects.filter((one) => one.kind === kind));
    const facts = {
      'k8s:Deployment': of('Deployment'),
      'k8s:StatefulSet': of('StatefulSet'),
      'k8s:DaemonSet': of('DaemonSet'),
      'releases:helm': fact(releases),
      'drift:plan': fact([]),
    } as unknown as FactMap;
    const checks = releaseChecks
      .filter(({ id }) => ['MNT-05', 'MNT-08'].includes(id))
      .map((check) => ({ ...check, dependsOn: [] }));
    return diagnose(facts, config, checks).map(({ id, status, evidence }) => `${id} ${status}: ${evidence}`);
  }

  it('is installed when what the release makes is there, and not when it is not', () => {
    const [addon] = ownAddons(config);
    const namespace = namespaceOf(config, 'k8s-monitoring');
    const made = (addon?.workloads(config) ?? []).map(({ kind, name }): KubeObject => ({
      apiVersion: 'apps/v1',
      kind,
      metadata: { name, namespace },
    }));
    const deployed = releasesOf(config).map((release) => ({ ...release, status: 'deployed', revision: 1 }));
    expect(findings(made, deployed)).toEqual([
      'MNT-05 ok: 1 releases deployed, live objects as planned',
      expect.stringMatching(/^MNT-08 ok: 1 of 1 components/),
    ]);
    expect(findings([], [])).toEqual([
      'MNT-08 fail: none of 1 components is in namespace grafana-k8s-monitoring',
      'MNT-05 blocked: no release of grafana-k8s-monitoring',
    ]);
  });
});
