import type { Server as HttpServer } from 'node:http';
import type { AddressInfo, Server as NetServer } from 'node:net';

/** Listens on a free port; `close` also ends open HTTP connections. */
export async function listen(
  server: NetServer,
  host = '127.0.0.1',
): Promise<{ port: number; close: () => Promise<void> }> {
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        if ('closeAllConnections' in server) (server as HttpServer).closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
