import type { RecordCursor, TopicPartition } from '../../model/index.ts';

export interface RecordAddress extends TopicPartition {
  readonly offset: bigint;
}

/** Rows of one record batch: their offsets share a base. */
interface Segment extends TopicPartition {
  readonly firstRow: number;
  readonly baseOffset: bigint;
}

const firstCapacity = 4096;

/**
 * Which record each row of a transaction came from, four bytes a row, so that "line 17 is refused" becomes an offset.
 * Rows are numbered from 0.
 */
export class RowMap {
  #deltas = new Int32Array(firstCapacity);
  #segments: Segment[] = [];
  #rows = 0;
  // Of the last segment.
  #topic = '';
  #partition = -1;
  #baseOffset = -1n;

  get rows(): number {
    return this.#rows;
  }

  append(cursor: RecordCursor): void {
    const rows = this.#rows;
    if (
      cursor.baseOffset !== this.#baseOffset ||
      cursor.partition !== this.#partition ||
      cursor.topic !== this.#topic
    ) {
      this.#beginSegment(cursor);
    }
    if (rows === this.#deltas.length) this.#grow();
    this.#deltas[rows] = cursor.offsetDelta;
    this.#rows = rows + 1;
  }

  /** Whether the last row came from the cursor's present record. */
  endsWith(cursor: RecordCursor): boolean {
    return (
      this.#rows > 0 &&
      this.#deltas[this.#rows - 1] === cursor.offsetDelta &&
      this.#baseOffset === cursor.baseOffset &&
      this.#partition === cursor.partition &&
      this.#topic === cursor.topic
    );
  }

  /** Forgets the rows from number `rows` on. */
  truncate(rows: number): void {
    this.#rows = rows;
    while ((this.#segments.at(-1)?.firstRow ?? -1) >= rows) this.#segments.pop();
    const last = this.#segments.at(-1);
    this.#topic = last?.topic ?? '';
    this.#partition = last?.partition ?? -1;
    this.#baseOffset = last?.baseOffset ?? -1n;
  }

  /** Undefined for a row that is not there. */
  recordOf(row: number): RecordAddress | undefined {
    const delta = row < this.#rows ? this.#deltas[row] : undefined;
    const segment = this.#segments.findLast((candidate) => candidate.firstRow <= row);
    if (delta === undefined || segment === undefined) return undefined;
    const { topic, partition, baseOffset } = segment;
    return { topic, partition, offset: baseOffset + BigInt(delta) };
  }

  #beginSegment(cursor: RecordCursor): void {
    const { topic, partition, baseOffset } = cursor;
    this.#segments.push({ topic, partition, baseOffset, firstRow: this.#rows });
    this.#topic = topic;
    this.#partition = partition;
    this.#baseOffset = baseOffset;
  }

  #grow(): void {
    const larger = new Int32Array(this.#deltas.length * 2);
    larger.set(this.#deltas);
    this.#deltas = larger;
  }
}
