import { EXIT } from '../core/errors.ts';
import { writeBundles } from '../macos/bundle.ts';
import { type BundleFlags, requestOf } from '../macos/request.ts';
import { paint } from '../ui/paint.ts';

/** `genai-obs macos bundle`: touches no cluster. Row 004-P5-06. */
export async function bundle(flags: BundleFlags): Promise<number> {
  const request = requestOf(flags);
  const hosts = writeBundles(request, request.out);
  if (flags.json)
    process.stdout.write(
      `${JSON.stringify({ out: request.out, endpoint: request.endpoint, access: request.access, hosts })}\n`,
    );
  else process.stdout.write(hosts.map(({ path }) => `${path}\n`).join(''));
  const note =
    request.access === 'plain'
      ? [
          `${paint.warn('note:')} without --mtls or --token-file metrics travel unencrypted: only inside a network that you trust`,
        ]
      : [];
  const [first] = hosts;
  process.stderr.write(
    [
      `${paint.ok('Written')}: ${hosts.length === 1 ? 'one Mac' : `${hosts.length} Macs`}, ${request.access}, to ${request.endpoint}`,
      ...note,
      `  next   copy each folder to its Mac and run there: sudo sh ${first?.name ?? 'NAME'}/install.sh`,
      '  next   dashboard and alerts: set macos.enabled to true and run genai-obs install',
      '',
    ].join('\n'),
  );
  return Promise.resolve(EXIT.ok);
}
