import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { KafkaTlsOptions } from '../../clientOptions.ts';

/** One read from the socket brings at most this much; larger reads showed no gain. */
const readBytes = 64 * 1024;
const keepAliveDelayMs = 60_000;
/** Node gives up an address of a name with several after 250 ms, which is less than a distant broker needs. */
const addressAttemptMs = 1_000;

export interface BrokerSocketRequest {
  readonly host: string;
  readonly port: number;
  readonly tls: KafkaTlsOptions | undefined;
  readonly onConnect: () => void;
  /** Where to read to next, undefined: into the socket's own buffer. */
  readonly room: () => Buffer | undefined;
  /** The bytes are only valid during the call, unless they were read into a `room`. */
  readonly onBytes: (bytes: Buffer) => void;
}

/**
 * A TCP or TLS socket that reads into one buffer, reused for every read: `onBytes` is called in place of `data`
 * events.
 */
export function openBrokerSocket({ host, port, tls, onConnect, room, onBytes }: BrokerSocketRequest): Socket {
  const own = Buffer.allocUnsafeSlow(readBytes);
  const onread = {
    buffer: () => room() ?? own,
    callback: (count: number, buffer: Uint8Array) => {
      onBytes(Buffer.from(buffer.buffer, buffer.byteOffset, count));
      return true;
    },
  };
  const tcp = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepAliveDelayMs,
    autoSelectFamilyAttemptTimeout: addressAttemptMs,
    onread,
  };
  if (tls === undefined) return connectTcp(tcp, onConnect);
  const options: ConnectionOptions & { onread: typeof onread } = { ...tcp, ...serverName(host), ...tls };
  return connectTls(options, onConnect);
}

/** The name for SNI and for the check of the certificate; an address cannot be sent as a name (RFC 6066). */
function serverName(host: string): { servername?: string } {
  return isIP(host) === 0 ? { servername: host } : {};
}
