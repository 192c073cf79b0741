import { type Clock, systemClock } from '../../platform/index.ts';
import type { Receiver } from '../receiver.ts';
import { HttpIntake } from './httpIntake.ts';

export interface HttpReceiverOptions {
  /** Default 127.0.0.1: only this machine. */
  readonly host?: string;
  /** 0 = any free one, another after each start: see `address`. */
  readonly port: number;
  /** Where requests are taken; every other path is 404. Default `/`. */
  readonly path?: string;
  /** Of the body as sent, and of what a compressed one unpacks to. Default 8 MiB. */
  readonly bodyBytesMax?: number;
}

export interface HttpReceiver extends Receiver {
  /** `host:port` that it listens on; undefined while it does not. */
  readonly address: string | undefined;
}

/**
 * Takes records by HTTP. `POST` of `application/x-ndjson` (a record per line) or `application/json` (the document is the
 * record): all records of a request or none. 200 with `{"accepted": n}` says that they are durable and will reach the sink
 * exactly once; a sender that got no answer, or 500, cannot know, and doubles them if it sends them again.
 *
 * `start` rejects with HTTP_LISTEN_FAILED. `stop` refuses new requests with 503, and waits for the answers to those whose
 * records are being stored, 2 s at most.
 *
 * `requestTimeoutMs`: how long a request may take to arrive.
 */
export function createHttpReceiver(
  { host = '127.0.0.1', port, path = '/', bodyBytesMax = 8_388_608 }: HttpReceiverOptions,
  clock: Clock = systemClock,
  requestTimeoutMs = 30_000,
): HttpReceiver {
  let intake: HttpIntake | undefined;
  let opening: Promise<void> | undefined;
  return {
    get address() {
      return intake?.address;
    },
    start(context) {
      const starting = new HttpIntake({ path, bodyBytesMax, requestTimeoutMs }, context, clock);
      intake = starting;
      opening = starting.listen(host, port);
      return opening;
    },
    async stop() {
      await opening?.catch(() => {});
      await intake?.close();
      intake = undefined;
    },
  };
}
