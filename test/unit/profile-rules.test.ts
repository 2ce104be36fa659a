import { describe, expect, it } from 'vitest';
import { ObsError } from '../../src/core/errors.ts';
import { extended, profileLayer, profileNames } from '../../src/profile/layers.ts';
import { resolve } from '../../src/profile/resolve.ts';
import { RULES } from '../../src/profile/rules.ts';
import { lineFor } from '../../src/profile/settings.ts';
import { parse } from 'yaml';
import type { JsonMap } from '../../src/core/types.ts';
import { profile, quickstart } from './support/config.ts';

function refusal(text: string, base = 'quickstart'): { what: string; next: string; exit: number } {
  try {
    resolve([...extended(profileLayer(base)), { source: 'mine.yaml', text, data: parse(text) as JsonMap }]);
  } catch (error) {
    if (error instanceof ObsError) return { what: error.parts.what, next: error.parts.next ?? '', exit: error.exit };
    throw error;
  }
  throw new Error('nothing was refused');
}

const S3 = 'endpoint: s3.example.com, secret: keys';
const NFS = 'csi-driver-nfs: { enabled: true, server: nas }';

/** For every rule a configuration that breaks it, and no rule before it. */
const BROKEN: Record<string, { text: string; base?: string }> = {
  'storage.s3.endpoint': { text: 'storage: { s3: { enabled: true } }' },
  'storage.s3.secret': { text: 'storage: { s3: { enabled: true, endpoint: s3.example.com } }' },
  'storage.s3.buckets': { text: `storage: { s3: { enabled: true, ${S3}, buckets: { loki: logs } } }` },
  'storage.s3.buckets.tempo': { text: `storage: { s3: { enabled: true, ${S3}, buckets: { loki: all, tempo: all } } }` },
  'seaweedfs.enabled': { text: 'seaweedfs: { enabled: true }' },
  'seaweedfs.namespace': {
    text: 'storage: { s3: { enabled: true } }\nseaweedfs: { enabled: true, namespace: elsewhere }',
  },
  'storage.s3.enabled': {
    text:
      `storage: { s3: { enabled: true, ${S3}, buckets: { loki: logs, tempo: traces } } }\n` +
      'tempo: { namespace: traces }',
  },
  'storage.storageClass': { text: `${NFS}\nstorage: { storageClass: nfs-csi }` },
  'csi-driver-nfs.server': { text: 'csi-driver-nfs: { enabled: true }' },
  'grafana.replicas': { text: 'grafana: { replicas: 3 }' },
  'prometheus.server.replicaCount': { text: 'prometheus: { server: { replicaCount: 3 } }' },
  'prometheus.server.retentionSize': { text: 'prometheus: { server: { size: 50Gi, retentionSize: 50GB } }' },
  'prometheus.server.scrapeInterval': { text: 'prometheus: { server: { scrapeInterval: 2m } }' },
  'genai.cost.monthlyLimit': { text: 'genai: { cost: { monthlyLimit: 20000 } }' },
  'genai.genops.monthlyBudgets': {
    text: 'genai: { genops: { monthlyBudgets: { search: 500 } } }\nprometheus: { server: { retention: 4w } }',
    base: 'genops',
  },
  'opentelemetry-collector.autoscaling.minReplicas': {
    text: 'opentelemetry-collector: { autoscaling: { enabled: true, minReplicas: 11 } }',
  },
  'opentelemetry-collector.ingress.host': {
    text: 'opentelemetry-collector: { ingress: { host: otlp.example.com } }',
    base: 'k3s',
  },
  'grafana.ingress.tlsSecret': { text: 'grafana: { ingress: { host: g.example.com, issuer: letsencrypt } }' },
  'grafana.ingress.host': { text: 'grafana: { ingress: { tlsSecret: grafana-tls } }' },
  'prometheus.ingress.tlsSecret': { text: 'prometheus: { ingress: { host: p.example.com, issuer: letsencrypt } }' },
  'prometheus.ingress.host': { text: 'prometheus: { ingress: { className: nginx } }' },
  'opentelemetry-collector.ingress.tlsSecret': {
    text: 'opentelemetry-collector: { ingress: { host: o.example.com, issuer: letsencrypt } }',
  },
  'grafana.contactPoint': { text: 'grafana: { contactPoint: true }\nalertmanager: { enabled: false }' },
  'grafana.gatewayProxy.upstream': { text: 'grafana: { gatewayProxy: { enabled: true } }' },
  teams: { text: 'teams: [{ name: quant, namespace: quant }, { name: ft, namespace: quant }]' },
  'cloudwatch-exporter.regions': { text: 'cloudwatch-exporter: { enabled: true, secret: aws }' },
  'security.mtls.enabled': { text: 'security: { mtls: { enabled: true } }' },
  'security.ingest.tokenSecret': { text: 'security: { ingest: { tokenSecret: senders } }' },
  'opentelemetry-collector.expose.type': { text: 'opentelemetry-collector: { expose: { type: NodePort } }' },
  'opentelemetry-collector.expose.nodePorts': {
    text: 'opentelemetry-collector: { expose: { nodePorts: { grpc: 30317 } } }',
  },
  'cloudwatch-exporter.roleArn': { text: 'cloudwatch-exporter: { enabled: true, regions: [us-west-2] }' },
};

describe('rules across settings', () => {
  it('are all tested here', () => {
    expect(Object.keys(BROKEN).toSorted()).toEqual([...new Set(RULES.map((rule) => rule.key))].toSorted());
  });

  it.each(Object.entries(BROKEN))('%s', (key, { text, base }) => {
    const { what, next, exit } = refusal(text, base);
    expect(what).toContain(`: ${key} `);
    expect(what).toContain('mine.yaml');
    expect(next).not.toBe('');
    expect(exit).toBe(2);
  });

  it('refer to existing settings', () => {
    const sections = ['storage.s3.buckets', 'opentelemetry-collector.expose.nodePorts'];
    const settings = RULES.map((rule) => rule.key).filter((key) => !sections.includes(key));
    expect(settings.filter((key) => lineFor(key) === undefined)).toEqual([]);
  });

  it('report the line of the setting, or of its section', () => {
    expect(refusal('# mine\ngrafana:\n  size: 2Gi\n  replicas: 3\n').what).toMatch(
      /^mine\.yaml line 4: grafana\.replicas must be 1/,
    );
    // Not set: the line of its section.
    expect(refusal('# mine\nstorage:\n  s3:\n    enabled: true\n').what).toMatch(
      /^mine\.yaml line 3: storage\.s3\.endpoint is required/,
    );
  });

  it('accept every shipped profile', () => {
    expect(profileNames().length).toBeGreaterThan(3);
    for (const name of profileNames()) expect(() => profile(name), name).not.toThrow();
  });

  it('accept NFS for Grafana, and an external S3', () => {
    expect(() =>
      quickstart({ 'csi-driver-nfs': { enabled: true, server: 'nas' }, grafana: { storageClass: 'nfs-csi' } }),
    ).not.toThrow();
    expect(() =>
      quickstart({
        storage: {
          s3: { enabled: true, endpoint: 's3.example.com', secret: 'keys', buckets: { loki: 'logs', tempo: 'traces' } },
        },
      }),
    ).not.toThrow();
  });
});
