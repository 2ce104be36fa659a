import { createHash } from 'node:crypto';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Arrival, type FakeCloud, fakeCloud } from '../../support/cloud.ts';
import { CHARTS, HOST, importImages, noCharts, notBuilt, skipNote } from '../support/bed.ts';
import {
  changedSince,
  cli,
  cliOk,
  eventually,
  inventory,
  kubectl,
  run,
  uninstallArgs,
  uninstallOnInterrupt,
} from '../support/cluster.ts';
import { doctor, problems } from '../support/doctor.ts';
import { nodeContainer } from '../support/workload.ts';

const PROGRAMS = ['alloy', 'alloy-operator', 'kube-state-metrics', 'node_exporter', 'prometheus-config-reloader'];
const WHY = noCharts ?? notBuilt(...PROGRAMS, 'kubectl');

const HOME = 'grafana-k8s-monitoring';
const APP = 'it-cloud-app';
const TOKEN = 'glc_standin';
const QUESTION = 'what does my colleague earn';
const LINE = 'response of the Alloy receiver:';

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

/** Sends a span each second, as an application would, and logs the response. */
const PROGRAM = `
  const url = 'http://${HOME}-alloy-receiver.${HOME}.svc:4318/v1/traces';
  const headers = { 'content-type': 'application/json' };
  const send = async () => {
    const answer = await fetch(url, { method: 'POST', body: process.env.EXPORT, headers }).catch((error) => error);
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
    containers: [nodeContainer(PROGRAM, [{ name: 'EXPORT', value: JSON.stringify(EXPORT) }])],
  },
};

const remove = (): Promise<unknown> => cli(uninstallArgs(HOME));
const dropApp = (): Promise<unknown> =>
  run('kubectl', ['delete', 'namespace', APP, '--ignore-not-found', '--wait', '--timeout=120s']);

/** The Alloy operator and its collectors send to a fake Grafana Cloud that accepts one user and one token. */
describe.skipIf(WHY !== undefined)(
  `grafana-cloud with real pods${skipNote(WHY)}`,
  { sequential: true } as object,
  () => {
    const dir = join(tmpdir(), `genai-obs-cloud-${process.pid}`);
    const file = join(dir, 'cloud.json');
    const INSTALL = ['install', '-f', file, '--charts', CHARTS ?? '', '--yes', '--timeout', '240'];
    let cloud: FakeCloud;
    let before: string[];

    beforeAll(async () => {
      mkdirSync(dir, { mode: 0o700 });
      await importImages(...PROGRAMS, 'toolbox-kubectl', 'node');
      uninstallOnInterrupt(HOME);
      await Promise.all([remove(), dropApp()]);
      before = await inventory();
      cloud = await fakeCloud({ token: TOKEN, host: HOST });
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

    /** Waits for a write of this signal that contains all these texts. */
    const arrived = (signal: string, ...texts: string[]): Promise<Arrival> =>
      eventually(
        `${signal} with ${texts.join(', ')} at the fake Grafana Cloud`,
        async () =>
          cloud.arrivals.find(
            (arrival) => arrival.signal === signal && texts.every((text) => arrival.body.includes(text)),
          ),
        150,
      );

    it('installs: the operator creates the four collectors, and the verification passes', async () => {
      const done = await cliOk(INSTALL, { GRAFANA_CLOUD_TOKEN: TOKEN });
      expect(done.stderr).toContain('Done in');
      expect(`${done.stdout}${done.stderr}`).not.toContain(TOKEN);
    });

    it('receives metrics of kubelet, cAdvisor, kube-state-metrics and node-exporter with cluster name', async () => {
      // The bed's cAdvisor cannot name containers, and the chart drops unnamed ones. Machine metrics remain.
      for (const name of [
        'kubelet_running_pods',
        'machine_memory_bytes',
        'kube_node_info',
        'node_memory_MemTotal_bytes',
      ])
        await arrived('metrics', name, 'k8s.cluster.name');
    });

    it('receives spans of an application with its pod name and without the text of prompts', async () => {
      await kubectl(['create', 'namespace', APP]);
      await kubectl(['apply', '-f', '-'], JSON.stringify(POD));
      const hash = createHash('sha256').update(QUESTION).digest('hex');
      await arrived('traces', 'it-cloud-span', APP, POD.metadata.name, 'gen_ai.request.model', 'it-cloud-model', hash);
      expect(cloud.arrivals.filter((arrival) => arrival.body.includes(QUESTION))).toEqual([]);
    });

    it('receives log lines of the application and Kubernetes events', async () => {
      await arrived('logs', `${LINE} 200`, APP, POD.metadata.name);
      await arrived('logs', 'kubernetes-events', POD.metadata.name);
    });

    it('rejects no write: each has the user and the token of the Secret', () => {
      expect(cloud.answers.filter((answer) => !answer.endsWith(' 200'))).toEqual([]);
    });

    it('has nothing to do the second time', { timeout: 120_000 }, async () => {
      expect((await cliOk(INSTALL)).stderr).toContain('Nothing to do');
    });

    it('doctor finds no problem, and tests the credentials stored in the cluster', { timeout: 180_000 }, async () => {
      const report = await doctor(HOME);
      const cloudChecks = report.findings.filter(({ id }) => id.startsWith('CLD-'));
      expect(cloudChecks.map(({ id, status }) => `${id} ${status}`)).toEqual(['CLD-01 ok', 'CLD-02 ok', 'CLD-03 ok']);
      expect(problems(report, /^PRE-11$/)).toEqual([]);
    });

    it('uninstalls, and leaves the cluster as it was', { timeout: 300_000 }, async () => {
      await dropApp();
      await cliOk(uninstallArgs(HOME));
      expect(await changedSince(before)).toEqual({ added: [], removed: [] });
    });
  },
);
