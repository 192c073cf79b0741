import type { Clock } from '../platform/index.ts';
import type { Lane } from './lane.ts';
import type { Receiver } from './receiver.ts';
import type { RecordLane } from './recordLane.ts';
import { type ReceiverStatus, ReceiverSupervisor } from './supervisor.ts';

/** A receiver that numbers its records itself, with its lane. It receives from when its partition is first ours until the intake ends. */
export class ReceiverHost {
  readonly lane: RecordLane;
  readonly #supervisor: ReceiverSupervisor;
  #isStarted = false;
  #stopping: Promise<void> | undefined;

  constructor(
    receiver: Receiver,
    lane: RecordLane,
    options: { readonly name: string; readonly clock: Clock; readonly onChange: (status: ReceiverStatus) => void },
  ) {
    this.lane = lane;
    this.#supervisor = new ReceiverSupervisor(receiver, lane, options);
  }

  get status(): ReceiverStatus {
    return this.#supervisor.status;
  }

  /** The partition is ours: nothing is taken in before, it might never be committed from here. */
  open(nextOffset: bigint): Lane {
    this.lane.open(nextOffset);
    if (!this.#isStarted && this.#stopping === undefined) {
      this.#isStarted = true;
      this.#supervisor.start();
    }
    return this.lane;
  }

  stopReceiver(): Promise<void> {
    this.#stopping ??= this.#isStarted ? this.#supervisor.stop() : Promise.resolve();
    return this.#stopping;
  }

  async close(): Promise<void> {
    // First: whoever waits for a record to be durable keeps the receiver from stopping.
    this.lane.abandon();
    await this.stopReceiver();
  }
}
