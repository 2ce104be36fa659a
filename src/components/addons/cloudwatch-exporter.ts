import { stringify } from 'yaml';
import { imageOf } from '../../parts/catalog.ts';
import { CONTAINER_SECURITY, OWN_LABEL, imageParts } from '../../parts/upstream.ts';
import type { Addon } from '../../parts/types.ts';
import type { Config } from '../../profile/schema.ts';

/** Metrics that applications cannot measure: latency and errors of the SageMaker endpoint itself. */
function discovery(config: Config): string {
  const metric = (name: string, ...statistics: string[]) => ({ name, statistics, period: 60, length: 300 });
  return stringify({
    apiVersion: 'v1alpha1',
    discovery: {
      jobs: [
        {
          type: 'AWS/SageMaker',
          regions: config['cloudwatch-exporter'].regions,
          metrics: [
            metric('Invocations', 'Sum'),
            metric('Invocation4XXErrors', 'Sum'),
            metric('Invocation5XXErrors', 'Sum'),
            metric('ModelLatency', 'Average', 'p95'),
            metric('OverheadLatency', 'Average'),
          ],
        },
      ],
    },
  });
}

/** CloudWatch metrics of SageMaker (`aws_sagemaker_*`), scraped by annotation. */
export const cloudwatchExporter: Addon = {
  id: 'cloudwatch-exporter',
  title: 'CloudWatch exporter',
  phase: 'collectors',
  chart: 'prometheus-yet-another-cloudwatch-exporter',
  release: 'cloudwatch-exporter',
  workloads: () => [{ kind: 'Deployment', name: 'cloudwatch-exporter' }],
  values(config) {
    const { roleArn, secret } = config['cloudwatch-exporter'];
    return {
      fullnameOverride: 'cloudwatch-exporter',
      image: imageParts(
        imageOf('quay.io/prometheuscommunity/yet-another-cloudwatch-exporter:v0.67.0', config.global.imageRegistry),
      ),
      deployment: { labels: OWN_LABEL },
      podLabels: OWN_LABEL,
      podAnnotations: { 'prometheus.io/scrape': 'true', 'prometheus.io/port': '5000' },
      serviceAccount: { labels: OWN_LABEL, annotations: roleArn ? { 'eks.amazonaws.com/role-arn': roleArn } : {} },
      aws: { secret: { name: secret } },
      testConnection: false,
      podSecurityContext: { runAsNonRoot: true, runAsUser: 65534, seccompProfile: { type: 'RuntimeDefault' } },
      securityContext: CONTAINER_SECURITY,
      resources: { requests: { cpu: '10m', memory: '64Mi' }, limits: { cpu: '200m', memory: '256Mi' } },
      config: discovery(config),
    };
  },
};
