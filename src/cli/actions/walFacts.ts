import type { DescribedLog } from '../../receiver/index.ts';
import { type Inspection, stateFileOf } from '../../wal/index.ts';

/** A log as the commands show it as JSON: the fields scripts may rely on. `receiver` where receiver mode wrote it. */
export function walFacts(dir: string, found: Inspection, receiver?: DescribedLog) {
  return {
    dir,
    logId: found.logId,
    holder: found.holder,
    lowWatermark: found.lowWatermark,
    nextIndex: found.nextIndex,
    ...walCounts(found),
    segments: found.segments.map((segment) => ({
      name: segment.name,
      firstIndex: segment.firstIndex,
      nextIndex: segment.nextIndex,
      entries: segment.entries,
      entriesWaiting: segment.entriesWaiting,
      bytesWaiting: segment.bytesWaiting,
      fileBytes: segment.fileBytes,
    })),
    openIds: found.state?.openIds ?? [],
    tornTail: found.tornTail,
    tornState: found.tornSlot === undefined ? undefined : { path: stateFileOf(dir), ...found.tornSlot },
    gaps: found.gaps,
    damages: found.damages,
    receiver,
  };
}

/** Over all segments. */
export function walCounts({ segments }: Inspection) {
  const sum = (of: (segment: Inspection['segments'][number]) => number) =>
    segments.reduce((total, segment) => total + of(segment), 0);
  const entriesWaiting = sum((segment) => segment.entriesWaiting);
  return {
    entriesWaiting,
    bytesWaiting: sum((segment) => segment.bytesWaiting),
    entriesDone: sum((segment) => segment.entries) - entriesWaiting,
    fileBytes: sum((segment) => segment.fileBytes),
  };
}

/** What is wrong, and what is worth knowing, a line each. */
export function walRemarks(dir: string, found: Inspection): readonly string[] {
  const { tornTail, tornSlot, gaps, holder, damages } = found;
  const remarks = damages.map(({ code, path, byteOffset, what }) => `${path}, byte ${byteOffset}: ${what} [${code}]`);
  if (tornTail !== undefined) {
    const { path, byteOffset, untilByte, what } = tornTail;
    const why = holder === undefined ? 'the next opening cuts it off' : 'it may be a write that goes on now';
    remarks.push(`${path}, byte ${byteOffset}: torn tail of ${untilByte - byteOffset} bytes (${what}): ${why}`);
  }
  if (tornSlot !== undefined) {
    remarks.push(`${stateFileOf(dir)}, byte ${tornSlot.byteOffset}: ${tornSlot.what}: the state before it counts`);
  }
  for (const { fromIndex, untilIndex } of gaps) {
    remarks.push(`gap: entries ${fromIndex} to ${untilIndex - 1n} were lost before an earlier repair`);
  }
  return remarks;
}
