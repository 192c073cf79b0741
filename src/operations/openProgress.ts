import type { KafkaDriver } from '../kafka/index.ts';
import type { StorePlace } from '../offsets/index.ts';
import type { Progress, TopicSelection } from './progress.ts';

export interface ProgressSource {
  readonly pipeline: string;
  readonly place: StorePlace;
  /** Not connected yet; it is closed with the progress. */
  readonly driver?: KafkaDriver | undefined;
  readonly selection?: TopicSelection | undefined;
  readonly groupId?: string | undefined;
  /** See `Progress`. Default false. */
  readonly isMirrored?: boolean | undefined;
}

export interface OpenProgress extends Progress {
  /** Closes store and driver. Never rejects. */
  close(): Promise<void>;
}

/**
 * Opens store and brokers. `look` to read: nothing is created, and a store that was never used reads as empty; `use` to change.
 * Rejects with what the store or the driver cannot do; everything is closed again then.
 */
export async function openProgress(source: ProgressSource, purpose: 'look' | 'use'): Promise<OpenProgress> {
  const { pipeline, place, driver, selection, groupId, isMirrored } = source;
  const store = place.store(pipeline);
  const close = async () => {
    await Promise.allSettled([store.close(), driver?.close()]);
  };
  const opened = await Promise.allSettled([store.open(purpose), driver?.connect()]);
  const failed = opened.find((one) => one.status === 'rejected');
  if (failed !== undefined) {
    await close();
    throw failed.reason;
  }
  return { pipeline, place: place.name, store, driver, selection, groupId, isMirrored, close };
}
