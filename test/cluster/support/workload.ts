import { bundleWorkload } from '../../../demo/workload/bundle.mjs';
import { workloadObjects } from '../../../demo/workload/manifests.mjs';
import { kubectl, run } from './cluster.ts';

/** A container that runs `program` with the demo's node image. */
export const nodeContainer = (program: string, env: { name: string; value: string }[]): object => ({
  name: 'app',
  image: 'docker.io/library/node:20-alpine',
  imagePullPolicy: 'IfNotPresent',
  command: ['node', '-e', program],
  env,
});

/** Starts the demo's sample workload, which sends to the installation in namespace `stack`. */
export async function startWorkload(namespace: string, stack: string): Promise<void> {
  const items = workloadObjects({
    namespace,
    otlpEndpoint: `http://opentelemetry-collector.${stack}.svc:4318`,
    script: await bundleWorkload(),
  });
  await kubectl(['apply', '--server-side', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  await kubectl(['-n', namespace, 'wait', '--for=condition=Available', 'deployment', '--all', '--timeout=180s']);
}

export async function stopWorkload(namespace: string): Promise<void> {
  await run('kubectl', ['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=120s']);
}
