import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import type { Kube } from '../../src/adapters/kube.ts';
import { hasClaim } from '../../src/backup/claims/copy.ts';
import { at, listAt, mapAt } from '../../src/core/json.ts';
import { goHours } from '../../src/components/tempo.ts';
import type { Json, JsonMap, KubeObject } from '../../src/core/types.ts';
import { profile, quickstart } from './support/config.ts';
import { inside, planOf } from './support/plan.ts';

const S3 = {
  seaweedfs: { enabled: false },
  storage: {
    s3: {
      enabled: true,
      endpoint: 's3.eu-central-1.amazonaws.com',
      region: 'eu-central-1',
      buckets: { loki: 'acme-logs', tempo: 'acme-traces' },
      secret: 'aws-keys',
    },
  },
};
const OWN = {
  loki: { chart: 'genai-obs' },
  tempo: { chart: 'genai-obs' },
  grafana: { chart: 'genai-obs' },
  prometheus: { chart: 'genai-obs' },
};
const KEYS = [
  { name: 'S3_ACCESS_KEY', valueFrom: { secretKeyRef: { name: 'aws-keys', key: 'access-key' } } },
  { name: 'S3_SECRET_KEY', valueFrom: { secretKeyRef: { name: 'aws-keys', key: 'secret-key' } } },
];

const endpointsOf = (monitor: KubeObject): Json[] =>
  listAt({ endpoints: inside(monitor, 'spec', 'endpoints') ?? [] }, 'endpoints');

/** Configuration of the program, from either chart. */
function configOf(plan: ReturnType<typeof planOf>, id: 'loki' | 'tempo'): JsonMap {
  const { values, chart } = plan.release(id);
  if (chart.source === 'genai-obs') return mapAt(values, 'config');
  return parse(String(id === 'loki' ? at(values, 'loki', 'config') : at(values, 'config'))) as JsonMap;
}

describe('object storage', () => {
  const upstream = planOf(profile('production', S3));
  const own = planOf(profile('production', { ...S3, ...OWN }));

  it.each([['upstream charts', upstream] as const, ['our own charts', own] as const])(
    'Loki writes chunks, index and delete requests there, by %s',
    (_name, plan) => {
      const config = configOf(plan, 'loki');
      expect(mapAt(config, 'common', 'storage')).toEqual({
        s3: {
          endpoint: 's3.eu-central-1.amazonaws.com',
          region: 'eu-central-1',
          bucketnames: 'acme-logs',
          access_key_id: '${S3_ACCESS_KEY}',
          secret_access_key: '${S3_SECRET_KEY}',
          s3forcepathstyle: false,
          insecure: false,
        },
      });
      expect(
        listAt(config, 'schema_config', 'configs').map((period) => [
          at(period, 'store'),
          at(period, 'object_store'),
          at(period, 'schema'),
        ]),
      ).toEqual([['tsdb', 's3', 'v13']]);
      // Required: a compactor with retention does not start without it.
      expect(at(config, 'compactor', 'delete_request_store')).toBe('s3');
    },
  );

  it.each([['upstream charts', upstream] as const, ['our own charts', own] as const])(
    'Tempo writes blocks there, the write-ahead log stays on the claim, by %s',
    (_name, plan) => {
      expect(mapAt(configOf(plan, 'tempo'), 'storage', 'trace')).toEqual({
        backend: 's3',
        wal: { path: '/var/tempo/wal' },
        s3: {
          bucket: 'acme-traces',
          endpoint: 's3.eu-central-1.amazonaws.com',
          region: 'eu-central-1',
          access_key: '${S3_ACCESS_KEY}',
          secret_key: '${S3_SECRET_KEY}',
          forcepathstyle: false,
          insecure: false,
        },
      });
    },
  );

  it('keys come from a Secret as environment variables that the programs expand', () => {
    expect(upstream.values('loki', 'singleBinary')['extraEnv']).toEqual(KEYS);
    expect(upstream.values('tempo', 'tempo')).toMatchObject({
      extraEnv: KEYS,
      extraArgs: { 'config.expand-env': 'true' },
    });
    expect(own.release('loki').values['extraEnv']).toEqual(KEYS);
    expect(own.release('tempo').values['extraEnv']).toEqual(KEYS);
    // The user's Secret: neither created nor waited for.
    expect(upstream.ids.filter((id) => /s3|seaweed/.test(id))).toEqual([]);
  });

  it('SeaweedFS creates buckets and keys before Loki and Tempo start', () => {
    const plan = planOf(profile('production'));
    expect(mapAt(configOf(plan, 'loki'), 'common', 'storage', 's3')).toMatchObject({
      endpoint: 'seaweedfs-all-in-one.genai-observability.svc:8333',
      bucketnames: 'loki',
      s3forcepathstyle: true,
      insecure: true,
    });
    for (const id of ['loki', 'tempo'])
      expect(plan.step(`release/${id}`).needs).toEqual(
        expect.arrayContaining(['secret/s3-credentials', 'release/seaweedfs']),
      );
    const allInOne = plan.values('seaweedfs', 'allInOne');
    expect(listAt(allInOne, 's3', 'createBuckets')).toEqual([{ name: 'loki' }, { name: 'tempo' }]);
    expect(mapAt(allInOne, 'data')).toEqual({ type: 'existingClaim', claimName: 'seaweedfs-data' });
    expect(plan.step('release/seaweedfs').needs).toContain('claim/seaweedfs-data');
    const secret = plan.step('secret/s3-credentials');
    expect(secret.kind === 'secret' && secret.keys).toEqual({ 'access-key': 'genai-obs', 'secret-key': null });
    // Identities refer to variables that the chart fills from that Secret, so that keys are in one place only.
    const identities = plan.step('secret/seaweedfs-s3');
    expect(identities.kind === 'secret' && identities.keys['seaweedfs_s3_config']).toContain(
      '${SEAWEEDFS_S3_ADMIN_SECRET_ACCESS_KEY}',
    );
  });

  it('Loki flushes chunks before it stops, because a replay may lose lines', () => {
    expect(upstream.values('loki', 'singleBinary')['lifecycle']).toEqual({
      preStop: { httpGet: { path: '/flush', port: 'http-metrics' } },
    });
  });

  it('a backup reports that it does not contain buckets', async () => {
    const warnings: string[] = [];
    const kube = {} as Kube;
    for (const id of ['loki', 'tempo'] as const)
      expect(await hasClaim({ config: profile('production', S3), warnings, kube }, id)).toBe(false);
    expect(warnings).toEqual([
      expect.stringMatching(/^Loki stores .* bucket .*not in the backup/),
      expect.stringMatching(/^Tempo stores /),
    ]);
  });

  it('SeaweedFS is in the namespace of Loki', () => {
    const plan = planOf(profile('k3s', { seaweedfs: { enabled: true }, storage: { s3: { enabled: true } } }));
    expect(plan.release('seaweedfs').namespace).toBe('monitoring');
    const secret = plan.step('secret/s3-credentials');
    expect(secret.kind === 'secret' && secret.object.metadata.namespace).toBe('monitoring');
  });

  it('without object storage, nothing changes', () => {
    const plan = planOf(quickstart());
    expect(mapAt(configOf(plan, 'tempo'), 'storage', 'trace')['backend']).toBe('local');
    expect(plan.release('loki').values).not.toHaveProperty('extraEnv');
  });
});

describe('sizes', () => {
  const sizes = (over: JsonMap): Record<string, Json | undefined> => {
    const plan = planOf(profile('production', over));
    return {
      claim: inside(plan.objects('claim/prometheus-data')[0], 'spec', 'resources', 'requests', 'storage'),
      memory: at(plan.values('prometheus', 'server'), 'resources', 'limits', 'memory'),
    };
  };

  it('set claims, requests and limits of upstream and own charts', () => {
    expect(sizes({})).toEqual({ claim: '100Gi', memory: '8Gi' });
    expect(sizes({ size: 'S' })).toEqual({ claim: '50Gi', memory: '4Gi' });
    const plan = planOf(profile('production', { size: 'L' }));
    expect(plan.values('opentelemetry-collector', 'resources')).toEqual({
      requests: { cpu: '1', memory: '2Gi' },
      limits: { cpu: '4', memory: '8Gi' },
    });
  });

  it('a claim takes precedence over the size of the same or an earlier layer', () => {
    expect(sizes({ size: 'L', prometheus: { server: { size: '70Gi' } } })['claim']).toBe('70Gi');
    expect(sizes({ prometheus: { server: { size: '70Gi' } } })).toEqual({ claim: '70Gi', memory: '8Gi' });
  });

  it('quickstart has the requests of our own charts', () => {
    expect(planOf(quickstart()).release('loki').values).not.toHaveProperty('resources');
  });
});

describe('the profile production', () => {
  const plan = planOf(profile('production'));

  it('has both keys of the administrator in one Secret, and no password in values', () => {
    const secret = plan.step('secret/grafana-admin');
    expect(secret.kind === 'secret' && Object.keys(secret.keys)).toEqual(['admin-user', 'admin-password']);
    expect(plan.values('grafana', 'admin')).toEqual({
      existingSecret: 'grafana-admin',
      userKey: 'admin-user',
      passwordKey: 'admin-password',
    });
    expect(plan.release('grafana').values).not.toHaveProperty('adminPassword');
  });

  it('has a receiver for every route', () => {
    const config = plan.values('alertmanager', 'config');
    const receivers = listAt(config, 'receivers').map((receiver) => at(receiver, 'name'));
    expect(receivers).toContain(at(config, 'route', 'receiver'));
  });

  it('has no StorageClass of a cloud provider in claims', () => {
    const claims = plan.ids.filter((id) => id.startsWith('claim/')).flatMap((id) => plan.objects(id));
    expect(claims.length).toBe(6);
    expect(claims.filter((claim) => inside(claim, 'spec', 'storageClassName') !== undefined)).toEqual([]);
  });

  it('mounts dashboards, datasources and rules from ConfigMaps of the plan', () => {
    const mounted = listAt(plan.release('grafana').values, 'extraConfigmapMounts').map((mount) =>
      at(mount, 'configMap'),
    );
    const made = ['datasources', 'dashboards', 'rules'].flatMap((id) =>
      plan.objects(id, 'ConfigMap').map((object) => object.metadata.name),
    );
    expect(made).toEqual(expect.arrayContaining(mounted));
    expect(
      listAt(plan.values('prometheus', 'server'), 'extraConfigmapMounts').map((mount) => at(mount, 'configMap')),
    ).toEqual(['prometheus-rules']);
    expect(listAt(plan.values('prometheus', 'serverFiles'), 'prometheus.yml', 'rule_files')).toContain(
      '/etc/prometheus/rules/*.yaml',
    );
  });

  it('has object names that do not depend on a release', () => {
    const names = ['prometheus', 'alertmanager', 'loki', 'tempo', 'grafana', 'kube-state-metrics'].map(
      (id) => plan.release(id).workloads[0]?.name,
    );
    expect(names).toEqual(['prometheus', 'alertmanager', 'loki', 'tempo', 'grafana', 'kube-state-metrics']);
  });

  it('listens for OTLP on every address', () => {
    const otlp = mapAt(plan.values('opentelemetry-collector', 'config'), 'receivers', 'otlp', 'protocols');
    expect([at(otlp, 'grpc', 'endpoint'), at(otlp, 'http', 'endpoint')]).toEqual(['0.0.0.0:4317', '0.0.0.0:4318']);
  });

  it('scales the gateway from two to ten replicas at 80 percent, with metrics-server', () => {
    expect(plan.values('opentelemetry-collector', 'autoscaling')).toEqual({
      enabled: true,
      minReplicas: 2,
      maxReplicas: 10,
      cpuPercent: 80,
      memoryPercent: 80,
    });
    expect(plan.ids).toContain('release/metrics-server');
    // Spans of one trace may pass different replicas: no processor may need the whole trace.
    expect(
      Object.keys(plan.values('opentelemetry-collector', 'config', 'processors')).filter((name) =>
        /tail_sampling|groupbytrace|deltatocumulative/.test(name),
      ),
    ).toEqual([]);
    expect(
      planOf(profile('production', { 'opentelemetry-collector': { spread: 'DoNotSchedule' } })).release(
        'opentelemetry-collector',
      ).values['spread'],
    ).toBe('DoNotSchedule');
  });

  it('has a ServiceMonitor per component with interval and label, after the CRD', () => {
    const monitors = plan.objects('service-monitors', 'ServiceMonitor');
    expect(monitors).toHaveLength(9);
    expect(plan.step('service-monitors').needs).toContain('crds/prometheus-operator-crds');
    for (const monitor of monitors) {
      expect(monitor.metadata.labels?.['prometheus']).toBe('kube-prometheus');
      expect(endpointsOf(monitor)).toHaveLength(1);
      expect(at(endpointsOf(monitor)[0], 'interval')).toBe('30s');
    }
    const ports = Object.fromEntries(
      monitors.map((monitor) => [monitor.metadata.name, at(endpointsOf(monitor)[0], 'port')]),
    );
    expect(ports).toMatchObject({
      loki: 'http-metrics',
      tempo: 'tempo-prom-metrics',
      grafana: 'service',
      'opentelemetry-collector': 'metrics',
    });
    const definition = plan.step('crds/prometheus-operator-crds');
    const enabled =
      definition.kind === 'crds'
        ? Object.entries(mapAt(definition.values, 'crds')).filter(([, value]) => at(value, 'enabled'))
        : [];
    expect(enabled.map(([name]) => name)).toEqual(['servicemonitors']);
  });

  it('keeps metrics and logs for 30 days', () => {
    expect(plan.values('prometheus', 'server')['retention']).toBe('30d');
    expect(at(configOf(plan, 'loki'), 'limits_config', 'retention_period')).toBe('720h');
    expect(at(configOf(plan, 'tempo'), 'compactor', 'compaction', 'block_retention')).toBe(goHours('336h'));
  });
});

describe('Ingress', () => {
  const ingress = { host: 'grafana.example.com', className: 'nginx', tlsSecret: 'grafana-tls', issuer: 'letsencrypt' };
  const annotations = { 'cert-manager.io/cluster-issuer': 'letsencrypt' };

  it('Grafana with TLS and its external root_url, with the upstream chart and ours', () => {
    const upstream = planOf(profile('production', { grafana: { ingress } }));
    expect(upstream.values('grafana', 'ingress')).toEqual({
      enabled: true,
      hosts: ['grafana.example.com'],
      annotations,
      ingressClassName: 'nginx',
      tls: [{ secretName: 'grafana-tls', hosts: ['grafana.example.com'] }],
    });
    expect(upstream.values('grafana', 'grafana.ini', 'server')['root_url']).toBe('https://grafana.example.com/');
    const own = planOf(quickstart({ grafana: { ingress } }));
    expect(own.values('grafana', 'ingress')).toEqual({
      host: 'grafana.example.com',
      className: 'nginx',
      tlsSecret: 'grafana-tls',
      annotations,
    });
  });

  it('none without a host', () => {
    for (const id of ['grafana', 'prometheus', 'opentelemetry-collector'])
      expect(planOf(profile('production')).release(id).values, id).not.toHaveProperty('ingress');
    expect(
      planOf(profile('production', { prometheus: { ingress: { host: 'p.example.com' } } })).values(
        'prometheus',
        'server',
        'ingress',
      ),
    ).toMatchObject({
      hosts: ['p.example.com'],
    });
    expect(
      planOf(quickstart({ 'opentelemetry-collector': { ingress: { host: 'o.example.com' } } })).values(
        'opentelemetry-collector',
        'ingress',
      )['host'],
    ).toBe('o.example.com');
  });
});

describe('NFS', () => {
  const nfs = { 'csi-driver-nfs': { enabled: true, server: 'nas.example.com', share: '/exports' } };

  it('has its own StorageClass, which Grafana may use', () => {
    const plan = planOf(profile('k3s', { ...nfs, grafana: { storageClass: 'nfs-csi' } }));
    expect(plan.objects('objects/csi-driver-nfs')).toMatchObject([
      {
        kind: 'StorageClass',
        metadata: { name: 'nfs-csi' },
        provisioner: 'nfs.csi.k8s.io',
        parameters: { server: 'nas.example.com', share: '/exports' },
      },
    ]);
    const classOf = (id: string): Json | undefined =>
      inside(plan.objects(`claim/${id}`)[0], 'spec', 'storageClassName');
    expect([classOf('grafana-data'), classOf('prometheus-data')]).toEqual(['nfs-csi', 'local-path']);
  });
});
