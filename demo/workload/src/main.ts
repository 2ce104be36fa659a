import type { Server } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { serve, type Handler } from './http.ts';
import { fakeModel } from './roles/fake-model.ts';
import { load } from './roles/load.ts';
import { ragChat } from './roles/rag-chat.ts';
import { vectorStore } from './roles/vector-store.ts';
import { settingsFrom, type Settings } from './settings.ts';
import { startTelemetry, type Telemetry } from './telemetry.ts';

/** How long a Service may keep sending requests to a terminating pod. */
const LINGER_MS = 2_000;
const FINISH_MS = 10_000;
const FLUSH_MS = 6_000;

function routesOf(telemetry: Telemetry, settings: Settings): Record<string, Handler> {
  switch (settings.role) {
    case 'rag-chat':
      return ragChat(telemetry, settings);
    case 'vector-store':
      return vectorStore(telemetry);
    case 'fake-model':
      return fakeModel(telemetry, settings);
    case 'load':
      return {};
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeIdleConnections();
  });
}

async function main(): Promise<void> {
  // The bundler replaces process.env.WORKLOAD_VERSION.
  const settings = settingsFrom({ ...process.env, WORKLOAD_VERSION: process.env.WORKLOAD_VERSION });
  const telemetry = startTelemetry(settings);
  const server = await serve(telemetry, settings.port, routesOf(telemetry, settings));
  const stop = new AbortController();
  const loading = settings.role === 'load' ? load(telemetry, settings, stop.signal) : Promise.resolve();
  console.log(
    JSON.stringify({ event: 'started', role: settings.role, version: settings.version, port: settings.port }),
  );

  let stopping = false;
  const end = async (): Promise<void> => {
    if (stopping) return;
    stopping = true;
    stop.abort();
    if (settings.role !== 'load') await wait(LINGER_MS);
    // Finish open requests first, so that the final flush includes their telemetry.
    await Promise.race([Promise.all([loading, close(server)]), wait(FINISH_MS)]);
    await Promise.race([telemetry.shutdown(), wait(FLUSH_MS)]);
    process.exit(0);
  };
  process.on('SIGTERM', () => void end());
  process.on('SIGINT', () => void end());
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
