import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Arrival, type StandIn, standIn } from '../../support/cloud.ts';
import { HOST, importImages, notBuilt } from '../support/bed.ts';
import { changedSince, cli, cliOk, eventually, inventory, kubectl, leaveNothing, run } from '../support/cluster.ts';

const CHARTS = process.env['GENAI_OBS_CHARTS'];
const MISSING = notBuilt(
  'alloy',
  'alloy-operator',
  'kubectl',
  'kube-state-metrics',
  'node_exporter',
  'prometheus-config-reloader',
);
const WHY = !CHARTS
  ? ' (skipped: GENAI_OBS_CHARTS names no folder with the upstream charts)'
  : MISSING.length
    ? ` (skipped: not built for the bed: ${MISSING.join(', ')})`
    : '';

const HOME = 'grafana-k8s-monitoring';
const APP = 'it-cloud-app';
const TOKEN = 'glc_standin';
const QUESTION = 'what does my colleague earn';
const LINE = 'answered by the receiver of Alloy:';

const attribute = (key: string, stringValue: string): object => ({ key, value: { stringValue } });
const EXPORT = {
  resourceSpans: [
    {
      resource: { attributes: [attribute('service.name', APP)] },
      scopeSpans: [
        {
          spans: [
            {
              traceId: '5b8efff798038103d269b633813fc60c',
              spanId: 'eee19b7ec3c1b174',
              name: 'it-cloud-span',
              kind: 2,
              attributes: [attribute('llm.model', 'it-cloud-model'), attribute('rag.query', QUESTION)],
            },
          ],
        },
      ],
    },
  ],
};

/** Sends a span each second as any application does, and says in its log what was answered. */
const PROGRAM = `
  const url = 'http://${HOME}-alloy-receiver.${HOME}.svc:4318/v1/traces';
  const send = async () => {
    const answer = await fetch(url, { method: 'POST', body: process.env.EXPORT, headers: { 'content-type': 'application/json' } }).catch((error) => error);
    console.log('${LINE}', answer.status ?? answer.message);
  };
  setInterval(send, 1000);
`;
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'it-cloud-pod', namespace: APP },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'app',
        image: 'docker.io/library/node:20-alpine',
        imagePullPolicy: 'IfNotPresent',
        command: ['node', '-e', PROGRAM],
        env: [{ name: 'EXPORT', value: JSON.stringify(EXPORT) }],
      },
    ],
  },
};

interface Report {
  findings: { id: string; status: string; evidence: string }[];
}

const remove = (): Promise<unknown> =>
  cli(['uninstall', '--namespace', HOME, '--delete-data', '--yes', '--timeout', '180']);
const dropApp = (): Promise<unknown> =>
  run('kubectl', ['delete', 'namespace', APP, '--ignore-not-found', '--wait', '--timeout=120s']);

/** Alloy operator, collectors and what they send, against a stand-in of Grafana Cloud that knows one user and one token. */
describe.skipIf(!CHARTS || MISSING.length > 0)(
  `grafana-cloud with real pods${WHY}`,
  { sequential: true } as object,
  () => {
    const dir = join(tmpdir(), `genai-obs-cloud-${process.pid}`);
    const file = join(dir, 'cloud.json');
    const INSTALL = ['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '240'];
    let cloud: StandIn;
    let before: string[];

    beforeAll(async () => {
      mkdirSync(dir, { mode: 0o700 });
      await importImages(
        'alloy',
        'alloy-operator',
        'toolbox-kubectl',
        'kube-state-metrics',
        'node_exporter',
        'prometheus-config-reloader',
        'node',
      );
      leaveNothing(HOME);
      await Promise.all([remove(), dropApp()]);
      before = await inventory();
      cloud = await standIn({ token: TOKEN, host: HOST });
      writeFileSync(
        file,
        JSON.stringify({
          extends: 'grafana-cloud',
          'k8s-monitoring': {
            scrapeInterval: '15s',
            destination: { otlp: { url: cloud.endpoints.otlp, user: '123456' } },
          },
        }),
      );
    });
    afterAll(async () => {
      await Promise.all([remove(), dropApp()]);
      await cloud?.close();
      rmSync(dir, { recursive: true, force: true });
    });

    /** Waits until something of this signal came that holds all these texts. */
    const arrived = (signal: string, ...texts: string[]): Promise<Arrival> =>
      eventually(
        `${signal} with ${texts.join(', ')} at the stand-in`,
        async () =>
          cloud.arrivals.find(
            (arrival) => arrival.signal === signal && texts.every((text) => arrival.body.includes(text)),
          ),
        150,
      );

    it('installs: the operator makes the four collectors, and the verification passes', async () => {
      const done = await cliOk(INSTALL, { GRAFANA_CLOUD_TOKEN: TOKEN });
      expect(done.stderr).toContain('Done in');
      expect(`${done.stdout}${done.stderr}`).not.toContain(TOKEN);
    });

    it('metrics of kubelet, cAdvisor, kube-state-metrics and node-exporter arrive, by the name of the cluster', async () => {
      // The bed's cAdvisor cannot name containers, and the chart drops what has no name: what it says of the machine stays.
      for (const name of [
        'kubelet_running_pods',
        'machine_memory_bytes',
        'kube_node_info',
        'node_memory_MemTotal_bytes',
      ])
        await arrived('metrics', name, 'k8s.cluster.name');
    });

    it('spans that an application sends arrive, with its pod, and without what people asked', async () => {
      await kubectl(['create', 'namespace', APP]);
      await kubectl(['apply', '-f', '-'], JSON.stringify(POD));
      const hash = createHash('sha256').update(QUESTION).digest('hex');
      await arrived('traces', 'it-cloud-span', APP, POD.metadata.name, 'gen_ai.request.model', 'it-cloud-model', hash);
      expect(cloud.arrivals.filter((arrival) => arrival.body.includes(QUESTION))).toEqual([]);
    });

    it('lines of its log and events of the cluster arrive', async () => {
      await arrived('logs', `${LINE} 200`, APP, POD.metadata.name);
      await arrived('logs', 'kubernetes-events', POD.metadata.name);
    });

    it('nothing was refused: every write has the user and the token of the Secret', () => {
      expect(cloud.answers.filter((answer) => !answer.endsWith(' 200'))).toEqual([]);
    });

    it('has nothing to do the second time', { timeout: 120_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
    });

    it('doctor finds nothing wrong, and tries the credentials of the cluster', { timeout: 180_000 }, async () => {
      const { findings } = JSON.parse((await cli(['doctor', '--namespace', HOME, '-o', 'json'])).stdout) as Report;
      const of = (ids: RegExp): string[] =>
        findings.filter(({ id }) => ids.test(id)).map(({ id, status }) => `${id} ${status}`);
      expect(of(/^CLD-/)).toEqual(['CLD-01 ok', 'CLD-02 ok', 'CLD-03 ok']);
      const bad = findings.filter(
        ({ id, status }) => !['ok', 'skip'].includes(status) && !(status === 'warn' && id === 'PRE-11'),
      );
      expect(bad.map(({ id, status, evidence }) => `${id} ${status}: ${evidence}`)).toEqual([]);
    });

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await dropApp();
      await cliOk(['uninstall', '--namespace', HOME, '--delete-data', '--yes', '--timeout', '180']);
      expect(await changedSince(before)).toEqual({ left: [], gone: [] });
    });
  },
);
