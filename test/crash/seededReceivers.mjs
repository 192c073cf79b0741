/** Builds of receiver mode that break the promise on purpose, each by the mistake it is named after. */
import { partitionKey } from '../../dist/model/index.js';
import { BlockTracker } from '../../dist/receiver/blockTracker.js';
import { ReceiverSource } from '../../dist/receiver/receiverSource.js';
import { RecordLane } from '../../dist/receiver/recordLane.js';

export const seededReceivers = {
  /** What is in memory counts as durable. */
  acknowledgesEarly() {
    RecordLane.prototype.storeBatch = async function storeBatch(records) {
      for (const record of records) await this.store(record);
    };
  },

  /** What a batch had taken before the restart is gone. */
  forgetsAllocated() {
    const { recover } = BlockTracker;
    BlockTracker.recover = async (log, clock) => {
      const tracker = await recover.call(BlockTracker, log, clock);
      const allocated = tracker.batches.flatMap(({ blocks }) => [...blocks.values()].flat());
      const gone = new Set(allocated.map(({ place }) => place.index));
      const { held } = BlockTracker.prototype;
      tracker.held = (stream) => held.call(tracker, stream).filter(({ place }) => !gone.has(place.index));
      Object.defineProperty(tracker, 'batches', { value: [] });
      return tracker;
    };
  },

  /** Whatever the log has of a partition belongs to the present claim. */
  keepsBlocksOfOtherClaims() {
    const claims = new Map();
    const note = (position) => claims.set(partitionKey(position), position.held.claim);
    const { verify, open } = ReceiverSource.prototype;
    ReceiverSource.prototype.verify = function noted(positions) {
      positions.forEach(note);
      return verify.call(this, positions);
    };
    ReceiverSource.prototype.open = function noted(position) {
      note(position);
      return open.call(this, position);
    };
    const { held } = BlockTracker.prototype;
    BlockTracker.prototype.held = function ours(stream) {
      return held.call(this, stream).map((block) => ({ ...block, claim: claims.get(stream) ?? block.claim }));
    };
  },
};
