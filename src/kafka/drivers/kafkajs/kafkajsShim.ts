import { createRequire } from 'node:module';
import type { Socket } from 'node:net';

/**
 * The parts of kafkajs 2.2.4 that tidemark uses, typed: one connection with its TLS, its SASL exchanges (also the
 * repeated ones of KIP-368), its request header and its correlation of answers. kafkajs is CommonJS without types
 * for these and without an `exports` map; its version is pinned exactly.
 */
export interface KafkajsConnection {
  connect(): Promise<unknown>;
  disconnect(): Promise<unknown>;
  authenticate(): Promise<void>;
  /** Sends now, or once a throttle has passed. `authenticate` again is part of it when the session is about to end. */
  send<T>(exchange: KafkajsExchange<T>): Promise<T>;
  rejectRequests(error: Error): void;
  setVersions(versions: Record<number, { minVersion: number; maxVersion: number }>): void;
  setSupportAuthenticationProtocol(supported: boolean): void;
  processData(bytes: Buffer): void;
  readonly requestQueue: KafkajsRequestQueue;
}

export interface KafkajsRequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
  fulfillRequest(answer: { correlationId: number; payload: Buffer; size: number }): void;
}

export interface KafkajsExchange<T> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    encode(): Promise<KafkajsEncoded>;
  };
  readonly response: {
    decode(payload: Buffer): Promise<{ readonly clientSideThrottleTime: number; readonly answer: T }>;
    parse(decoded: { readonly answer: T }): Promise<T>;
  };
}

/** What kafkajs wants of an encoder. */
export interface KafkajsEncoded {
  readonly buf: Buffer;
  readonly buffer: Buffer;
}

export interface KafkajsSasl {
  readonly mechanism: string;
  readonly username?: string;
  readonly password?: string;
  /** kafkajs' way in for SASL exchanges of one's own. */
  readonly authenticationProvider?: (args: { saslAuthenticate: KafkajsSaslExchange }) => {
    authenticate(): Promise<void>;
  };
}

/** One step of a SASL exchange; both sides begin with a 32-bit size. Resolves to nothing without `response`. */
export type KafkajsSaslExchange = (step: {
  readonly request: { encode(): Promise<Buffer> };
  readonly response?: { decode(bytes: Buffer): Promise<Buffer>; parse(bytes: Buffer): Promise<Buffer> };
}) => Promise<Buffer | undefined>;

export interface KafkajsLogger {
  namespace(name: string): KafkajsLogger;
  debug(): void;
  info(): void;
  warn(): void;
  error(): void;
}

export interface KafkajsSocketRequest {
  readonly host: string;
  readonly port: number;
  readonly onConnect: () => void;
}

interface ConnectionConstructor {
  new (options: {
    host: string;
    port: number;
    clientId: string;
    logger: KafkajsLogger;
    socketFactory: (request: KafkajsSocketRequest) => Socket;
    ssl: object | null;
    sasl: KafkajsSasl | null;
    connectionTimeout: number;
    requestTimeout: number;
    enforceRequestTimeout: boolean;
  }): KafkajsConnection;
}

export const KafkajsConnectionClass: ConnectionConstructor = createRequire(import.meta.url)(
  'kafkajs/src/network/connection',
);

/** kafkajs logs every failure it also throws: the thrown one is enough. */
export const silentLogger: KafkajsLogger = {
  namespace: () => silentLogger,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};
