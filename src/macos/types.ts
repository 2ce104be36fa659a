/** How the collectors of the Macs prove who they are to the gateway. */
export type Access = 'mtls' | 'token' | 'plain';

/** Files of a Mac's bundle that hold its identity, by path in the bundle; all of them are written with mode 0600. */
export type Credentials = Record<string, string>;

/** What `genai-obs macos bundle` was asked for, checked. Row 004-P5-06. */
export interface BundleRequest {
  /** DNS labels; each becomes a folder and the `host.name` of that Mac's metrics. */
  hosts: string[];
  /** HOST:PORT of the gateway's OTLP gRPC entry, as the Macs reach it. */
  endpoint: string;
  /** Seconds between two readings. */
  interval: number;
  access: Access;
  /** By host. */
  credentials: Map<string, Credentials>;
}
