import { EXIT } from '../core/errors.ts';
import { plural } from '../core/text.ts';
import { writeBundles } from '../macos/bundle.ts';
import { type BundleFlags, requestOf } from '../macos/request.ts';
import { paint } from '../ui/paint.ts';

/** `genai-obs macos bundle`; needs no cluster. @throws ObsError (usage) */
export function bundle(flags: BundleFlags): Promise<number> {
  const request = requestOf(flags);
  const { out, endpoint, access } = request;
  const hosts = writeBundles(request, out);
  if (flags.json) process.stdout.write(`${JSON.stringify({ out, endpoint, access, hosts })}\n`);
  else process.stdout.write(hosts.map(({ path }) => `${path}\n`).join(''));
  const warning = 'without --mtls or --token-file metrics are sent unencrypted; use it only in a trusted network';
  process.stderr.write(
    [
      `${paint.ok('Written')}: ${plural(hosts.length, 'Mac')}, ${access}, to ${endpoint}`,
      ...(access === 'plain' ? [`${paint.warn('note:')} ${warning}`] : []),
      `  next   copy each folder to its Mac and run there: sudo sh ${hosts[0]?.name ?? 'NAME'}/install.sh`,
      '  next   for the dashboard and alerts: set macos.enabled to true and run genai-obs install',
      '',
    ].join('\n'),
  );
  return Promise.resolve(EXIT.ok);
}
