import { existsSync, readdirSync, statSync } from 'node:fs';
import { usageError } from '../core/errors.ts';
import { mtlsOf, tokenOf } from './credentials.ts';
import type { BundleRequest } from './types.ts';

/** Flags of `genai-obs macos bundle`. */
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

/** Every question about the input is asked here, before anything is written. @throws ObsError (usage) */
export function requestOf(flags: BundleFlags): BundleRequest & { out: string } {
  const hosts = hostsOf(flags.host);
  const endpoint = endpointOf(flags.endpoint);
  const interval = intervalOf(flags.interval);
  const out = outOf(flags.out);
  const { mtls, tokenFile, ca } = flags;
  if (mtls !== undefined && tokenFile !== undefined)
    throw usageError('--mtls and --token-file exclude each other', 'take one of them');
  if (ca !== undefined && tokenFile === undefined)
    throw usageError('--ca goes with --token-file', 'with --mtls the folder holds ca.crt');
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
  if (twice !== undefined) throw usageError(`--host ${twice} is given twice`, 'every Mac needs a name of its own');
  return hosts;
}

function endpointOf(text: string | undefined): string {
  if (text === undefined) throw usageError('macos bundle needs the address of the gateway', EXAMPLE);
  const [, port] = /^(?:\[[0-9a-f:.]+\]|[a-z0-9](?:[-.a-z0-9]*[a-z0-9])?):(\d{1,5})$/i.exec(text) ?? [];
  if (port === undefined || Number(port) < 1 || Number(port) > 65535)
    throw usageError(
      `--endpoint takes HOST:PORT, not "${text}"`,
      'the OTLP gRPC entry as the Macs reach it, without a scheme: k3s.example:4317',
    );
  return text;
}

function intervalOf(text: string): number {
  const [, number, unit] = /^(\d{1,4})(s|m)$/.exec(text) ?? [];
  const seconds = Number(number) * (unit === 'm' ? 60 : 1);
  // Beyond two minutes the doctor calls the data old (MAC-02).
  if (!(seconds >= 1 && seconds <= 120))
    throw usageError(`--interval takes 1s to 2m, not "${text}"`, 'for example --interval 15s');
  return seconds;
}

function outOf(out: string | undefined): string {
  if (!out) throw usageError('macos bundle needs a place to write to', EXAMPLE);
  if (!existsSync(out)) return out;
  if (!statSync(out).isDirectory())
    throw usageError(`--out ${out} is a file`, 'name a folder that is empty or not there yet');
  if (readdirSync(out).length)
    throw usageError(`--out ${out} is not empty`, 'name a folder that is empty or not there yet');
  return out;
}
