import type { TidemarkError } from '../../../errors.ts';
import type { Clock } from '../../../platform/index.ts';
import { addressText, type BrokerAddress, type ResolvedClientOptions } from '../../clientOptions.ts';
import type { RecycledMemory } from '../../records/index.ts';
import { BrokerConnection } from './brokerConnection.ts';

/**
 * All connections of a driver. Requests that are answered at once share one connection per broker; a long poll holds
 * up whatever comes after it on its connection (the broker works them off one by one), so fetchers open their own.
 */
export class Connections {
  readonly #options: ResolvedClientOptions;
  readonly #clock: Clock;
  readonly #open = new Set<BrokerConnection>();
  readonly #shared = new Map<string, Promise<BrokerConnection>>();
  readonly #ready = new Map<string, BrokerConnection>();
  #closedBy: TidemarkError | undefined;

  constructor(options: ResolvedClientOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  /** A connection of one's own; `bodies`: memory for its answers. Whoever opened it closes it. */
  async open(address: BrokerAddress, bodies?: RecycledMemory): Promise<BrokerConnection> {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    const connection = new BrokerConnection(address, this.#options, this.#clock, bodies);
    this.#forgetEnded();
    this.#open.add(connection);
    await connection.open();
    return connection;
  }

  /** The connection to a broker that short requests share, opened once for all who ask at the same time. */
  async shared(address: BrokerAddress): Promise<BrokerConnection> {
    const key = addressText(address);
    const known = this.#shared.get(key);
    if (known !== undefined) {
      // A failure of an attempt that somebody else began is as good as one of our own.
      const connection = await known;
      if (connection.isOpen) return connection;
      if (this.#shared.get(key) === known) this.#shared.delete(key);
      return this.shared(address);
    }
    const opening = this.open(address);
    this.#shared.set(key, opening);
    opening.then(
      (connection) => this.#ready.set(key, connection),
      () => {
        if (this.#shared.get(key) === opening) this.#shared.delete(key);
      },
    );
    return opening;
  }

  /** Whether a request to the broker can be sent at once. */
  isReady(address: BrokerAddress): boolean {
    return this.#ready.get(addressText(address))?.isOpen === true;
  }

  /** Closes every connection, also those being opened, and refuses new ones. */
  closeAll(reason: TidemarkError): void {
    this.#closedBy ??= reason;
    for (const connection of this.#open) connection.close(reason);
    this.#open.clear();
    this.#shared.clear();
    this.#ready.clear();
  }

  #forgetEnded(): void {
    for (const connection of this.#open) if (connection.isEnded) this.#open.delete(connection);
  }
}
