import type { WireReader } from './wireReader.ts';

/** What every answer of a broker carries. */
export interface BrokerAnswer {
  /** Milliseconds the broker asks this client to be silent for (quota, KIP-219). */
  readonly throttleMs: number;
}

/**
 * One request in one version, with the decoder of its answer. `encode` gives everything after the client id of the
 * request header, beginning with the header's own tagged fields (header version 2).
 */
export interface BrokerRequest<A extends BrokerAnswer> {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
  encode(): Buffer;
  /** Reads the answer after its correlation id. */
  decode(reader: WireReader): A;
}

/** An API and the version of it that tidemark speaks. */
export interface ApiVersion {
  readonly apiKey: number;
  readonly apiName: string;
  readonly apiVersion: number;
}
