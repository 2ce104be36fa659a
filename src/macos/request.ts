import { existsSync, readdirSync, statSync } from 'node:fs';
import { usageError } from '../core/errors.ts';
import { parseDuration } from '../core/quantity.ts';
import { type Credentials, mtlsOf, tokenOf } from './credentials.ts';

/** How the collectors authenticate to the gateway. */
export type Access = 'mtls' | 'token' | 'plain';

export interface BundleRequest {
  /** DNS labels. Each becomes a folder and the `host.name` of the metrics of that Mac. */
  hosts: string[];
  /** HOST:PORT of the gateway's OTLP gRPC endpoint, as the Macs reach it. */
  endpoint: string;
  /** Seconds between two scrapes. */
  interval: number;
  access: Access;
  /** By host. */
  credentials: Map<string, Credentials>;
}

export interface BundleFlags {
  host?: string[] | undefined;
  endpoint?: string | undefined;
  out?: string | undefined;
  mtls?: string | undefined;
  tokenFile?: string | undefined;
  ca?: string | undefined;
  interval: string;
  json?: boolean | undefined;
}

const EXAMPLE = 'genai-obs macos bundle --host studio-1 --endpoint k3s.example:4317 --mtls ./certs --out ./macs';

/** Validates all flags and input files before anything is written. @throws ObsError (usage) */
export function requestOf(flags: BundleFlags): BundleRequest & { out: string } {
  const hosts = hostsOf(flags.host);
  const endpoint = endpointOf(flags.endpoint);
  const interval = intervalOf(flags.interval);
  const out = outOf(flags.out);
  const { mtls, tokenFile, ca } = flags;
  if (mtls !== undefined && tokenFile !== undefined)
    throw usageError('--mtls and --token-file exclude each other', 'pass one of them');
  if (ca !== undefined && tokenFile === undefined)
    throw usageError('--ca requires --token-file', 'with --mtls, put ca.crt into the folder');
  const access = mtls !== undefined ? 'mtls' : tokenFile !== undefined ? 'token' : 'plain';
  const of = (host: string): Record<string, string> =>
    mtls !== undefined ? mtlsOf(mtls, host) : tokenFile !== undefined ? tokenOf(tokenFile, ca) : {};
  return { hosts, endpoint, interval, out, access, credentials: new Map(hosts.map((host) => [host, of(host)])) };
}

function hostsOf(hosts: string[] = []): string[] {
  if (!hosts.length) throw usageError('macos bundle needs the name of a Mac', EXAMPLE);
  for (const host of hosts)
    if (!/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/.test(host))
      throw usageError(
        `--host takes a DNS label, not "${host}"`,
        'lower-case letters, digits and dashes, without a domain: studio-1',
      );
  const twice = hosts.find((host, i) => hosts.indexOf(host) !== i);
  if (twice !== undefined) throw usageError(`--host ${twice} is passed twice`, 'give every Mac a unique name');
  return hosts;
}

function endpointOf(text: string | undefined): string {
  if (text === undefined) throw usageError('macos bundle needs the address of the gateway', EXAMPLE);
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?):(\d{1,5})$/i.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65535)
    throw usageError(
      `--endpoint takes HOST:PORT, not "${text}"`,
      'pass the OTLP gRPC address that the Macs can reach, without a scheme: k3s.example:4317',
    );
  return text;
}

function intervalOf(text: string): number {
  const seconds = parseDuration(text) ?? 0;
  // Check MAC-02 reports data older than two minutes.
  if (!Number.isInteger(seconds) || seconds < 1 || seconds > 120)
    throw usageError(`--interval takes 1s to 2m, not "${text}"`, 'for example --interval 15s');
  return seconds;
}

function outOf(out: string | undefined): string {
  if (!out) throw usageError('macos bundle needs an output folder', EXAMPLE);
  if (!existsSync(out)) return out;
  const next = 'pass an empty or new folder';
  if (!statSync(out).isDirectory()) throw usageError(`--out ${out} is a file`, next);
  if (readdirSync(out).length) throw usageError(`--out ${out} is not empty`, next);
  return out;
}
