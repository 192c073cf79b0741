import { join } from 'node:path';
import { isTidemarkError } from '../../errors.ts';
import { type DescribedLog, LogDescription } from '../../receiver/index.ts';
import { frameKinds, type Inspection, inspectWal } from '../../wal/index.ts';

/** A log, and what receiver mode wrote into it; undefined for a log of other entries. */
export interface WalContents {
  /** Entries of receiver mode that cannot be read are among the damages. */
  readonly found: Inspection;
  readonly receiver: DescribedLog | undefined;
}

/** How often a log in use is looked at again when a segment was deleted under the look. */
const attemptsMax = 5;

/** Looks at a log without changing or locking it; rejects like `inspectWal`. */
export async function inspectContents(dir: string): Promise<WalContents> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await lookAt(dir);
    } catch (error) {
      const isGone = isTidemarkError(error, 'WAL_READ_FAILED') && error.foreignCode === 'ENOENT';
      if (!isGone || attempt === attemptsMax) throw error;
    }
  }
}

async function lookAt(dir: string): Promise<WalContents> {
  const description = new LogDescription();
  const found = await inspectWal(dir, ({ index, kind, byteOffset, payload }, segment) => {
    if (kind !== frameKinds.entry) return;
    description.add({ index, segment, byteOffset, payloadBytes: payload.length, payload });
  });
  if (!description.isReceiverLog) return { found, receiver: undefined };
  const unreadable = description.unreadable.filter(({ index }) => index >= found.lowWatermark);
  const damages = unreadable.map(({ code, segment, byteOffset, what }) => {
    const name = found.segments.find(({ firstIndex }) => firstIndex === segment)?.name ?? '';
    return { code, path: join(dir, name), byteOffset, what };
  });
  return {
    found: { ...found, damages: [...found.damages, ...damages] },
    receiver: description.describe(found.lowWatermark),
  };
}
