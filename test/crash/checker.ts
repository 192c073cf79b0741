/**
 * Checks the promise (docs/guarantees.md) from outside: what producers know they wrote, what stands in the table, what
 * the ledger says. It knows nothing of how tidemark works, reports every violation it sees and throws for none.
 */

/** A record as its producer knows it: acknowledged, at this offset. */
export interface ProducedRecord {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: string;
  readonly fate: 'committed' | 'aborted' | 'open';
}

/** A row of the target table. `serial` grows in the order of insertion. */
export interface TargetRow {
  readonly partition: number;
  readonly offset: bigint;
  readonly value: string;
  readonly serial: bigint;
}

/** A row of the ledger's `offsets`. */
export interface LedgerPosition {
  readonly partition: number;
  readonly nextOffset: bigint;
  readonly ownerEpoch: bigint;
}

/** A row of the ledger's `ranges`. */
export interface LedgerRange {
  readonly partition: number;
  readonly seq: bigint;
  readonly incarnation: bigint;
  readonly fromOffset: bigint;
  readonly untilOffset: bigint;
  readonly records: bigint;
  readonly produced: bigint;
  readonly rows: bigint;
  readonly dropped: bigint;
  readonly skipped: bigint;
  readonly deadLettered: bigint;
  readonly owner: string | null;
  readonly ownerEpoch: bigint;
  readonly kind: string;
  readonly reason: string | null;
}

/** All that is known of one pipeline and one topic. */
export interface Facts {
  /** Where each partition began, by number of the partition. */
  readonly firstOffsets: readonly bigint[];
  readonly produced: readonly ProducedRecord[];
  /** Values of the rows a record gives, none when it is dropped; `skipped` when policy passes it over. */
  readonly rowsOf: (record: ProducedRecord) => readonly string[] | 'skipped';
  readonly rows: readonly TargetRow[];
  readonly positions: readonly LedgerPosition[];
  readonly ranges: readonly LedgerRange[];
}

/** What can be wrong, by the invariant it breaks. */
export const violationKinds = {
  positionMissing: 'I1',
  firstPosition: 'I1',
  rangeOverlap: 'I1',
  rangeHole: 'I1',
  historyEnd: 'I1',
  gapWithoutReason: 'I1',
  rowMissing: 'I2',
  rowDuplicated: 'I2',
  rowOutsideRanges: 'I2',
  rowUnknown: 'I2',
  epochFell: 'I3',
  epochShared: 'I3',
  epochAhead: 'I3',
  ownerMissing: 'I3',
  rowOrder: 'I4',
  rowUncommitted: 'I5',
  rangeUnbalanced: 'I6',
  rangeMiscounted: 'I6',
} as const;
export type ViolationKind = keyof typeof violationKinds;

export interface Violation {
  readonly invariant: (typeof violationKinds)[ViolationKind];
  readonly kind: ViolationKind;
  readonly partition: number;
  /** The offset it is about, where it is about one. */
  readonly offset?: bigint;
  readonly text: string;
}

/** Every violation, ordered by partition. An empty list is the promise kept. */
export function findViolations(facts: Facts): readonly Violation[] {
  return facts.firstOffsets.flatMap((firstOffset, partition) => {
    const found: Violation[] = [];
    const report: Report = (kind, text, offset) => {
      const at = offset === undefined ? {} : { offset };
      found.push({ invariant: violationKinds[kind], kind, partition, ...at, text: `partition ${partition}: ${text}` });
    };
    const here = <T extends { readonly partition: number }>(list: readonly T[]) =>
      list.filter((one) => one.partition === partition);
    const one: PartitionFacts = {
      firstOffset,
      rowsOf: facts.rowsOf,
      produced: new Map(here(facts.produced).map((record) => [record.offset, record])),
      rows: here(facts.rows),
      position: here(facts.positions)[0],
      ranges: [...here(facts.ranges)].sort((a, b) => compare(a.seq, b.seq)),
    };
    checkHistory(one, report);
    checkOwners(one, report);
    checkRows(one, report);
    checkOrder(one, report);
    checkCounts(one, report);
    return found;
  });
}

/** For a failed assertion: the kinds with how often, then the first of each. */
export function summaryOf(violations: readonly Violation[]): string {
  const firsts = new Map<string, { text: string; count: number }>();
  for (const { invariant, kind, text } of violations) {
    const name = `${invariant} ${kind}`;
    const entry = firsts.get(name) ?? { text, count: 0 };
    firsts.set(name, { ...entry, count: entry.count + 1 });
  }
  return [...firsts].map(([name, { text, count }]) => `${name} × ${count}: ${text}`).join('\n');
}

type Report = (kind: ViolationKind, text: string, offset?: bigint) => void;

interface PartitionFacts {
  readonly firstOffset: bigint;
  readonly rowsOf: Facts['rowsOf'];
  readonly produced: ReadonlyMap<bigint, ProducedRecord>;
  readonly rows: readonly TargetRow[];
  readonly position: LedgerPosition | undefined;
  /** By `seq`. */
  readonly ranges: readonly LedgerRange[];
}

/** I1: disjoint, contiguous, from the first position to `next_offset`, and gaps have a reason. */
function checkHistory({ firstOffset, position, ranges }: PartitionFacts, report: Report): void {
  if (position === undefined) {
    report('positionMissing', 'the ledger has no row');
    return;
  }
  let incarnation = ranges[0]?.incarnation;
  let end = firstOffset;
  for (const [index, range] of ranges.entries()) {
    const { fromOffset, untilOffset } = range;
    if (range.incarnation !== incarnation) incarnation = range.incarnation;
    else if (fromOffset !== end) {
      const text = `${nameOf(range)} follows ${end}`;
      if (index === 0) report('firstPosition', `the history begins with ${nameOf(range)}, not at ${end}`, fromOffset);
      else report(fromOffset < end ? 'rangeOverlap' : 'rangeHole', text, fromOffset);
    }
    if (range.kind === 'gap' && (range.reason ?? '') === '') {
      report('gapWithoutReason', `${nameOf(range)} gives no reason`, fromOffset);
    }
    end = untilOffset;
  }
  if (end !== position.nextOffset) {
    report('historyEnd', `the history ends at ${end}, next_offset is ${position.nextOffset}`, end);
  }
}

/** I3, as far as the ledger shows it: claims only rise, an epoch is one owner's. */
function checkOwners({ position, ranges }: PartitionFacts, report: Report): void {
  const ownerOf = new Map<bigint, string>();
  let highest = 0n;
  for (const range of ranges) {
    const { ownerEpoch, owner, fromOffset } = range;
    if (ownerEpoch < highest)
      report('epochFell', `${nameOf(range)} has epoch ${ownerEpoch} after ${highest}`, fromOffset);
    if (ownerEpoch > highest) highest = ownerEpoch;
    if (range.kind !== 'batch' && range.kind !== 'gap') continue;
    if (owner === null) {
      report('ownerMissing', `${nameOf(range)} was committed by nobody`, fromOffset);
      continue;
    }
    const other = ownerOf.get(ownerEpoch) ?? owner;
    ownerOf.set(ownerEpoch, other);
    if (other !== owner) report('epochShared', `epoch ${ownerEpoch} is that of ${other} and of ${owner}`, fromOffset);
  }
  if (position !== undefined && highest > position.ownerEpoch) {
    report('epochAhead', `the history has epoch ${highest}, the row ${position.ownerEpoch}`);
  }
}

/** I2 and I5: the rows of every committed record in a range, once for each incarnation, and no other rows. */
function checkRows({ produced, rows, rowsOf, ranges }: PartitionFacts, report: Report): void {
  const left = new Map<string, number>();
  for (const record of produced.values()) {
    const times = timesProcessed(record.offset, ranges);
    const values = record.fate === 'committed' ? rowsOf(record) : [];
    if (values === 'skipped') continue;
    for (const value of values) add(left, rowKey(record.offset, value), times);
  }
  for (const { offset, value } of rows) {
    const record = produced.get(offset);
    const key = rowKey(offset, value);
    const expected = record === undefined || record.fate !== 'committed' ? [] : rowsOf(record);
    if (record === undefined) report('rowUnknown', `a row of offset ${offset}, where nothing was produced`, offset);
    else if (record.fate !== 'committed') {
      report('rowUncommitted', `a row of offset ${offset}, whose transaction is ${record.fate}`, offset);
    } else if (expected === 'skipped' || !expected.includes(value)) {
      report('rowUnknown', `a row of offset ${offset} that the record does not give: ${value}`, offset);
    } else if (timesProcessed(offset, ranges) === 0) {
      report('rowOutsideRanges', `a row of offset ${offset}, which no range holds`, offset);
    } else if ((left.get(key) ?? 0) === 0) {
      report('rowDuplicated', `one row too many of offset ${offset}: ${value}`, offset);
    } else add(left, key, -1);
  }
  for (const [key, times] of left) {
    if (times > 0)
      report('rowMissing', `no row of offset ${key}, which a range holds`, BigInt(key.split(' ')[0] ?? '0'));
  }
}

/** I4: rows were inserted in offset order, as long as no reset began anew. */
function checkOrder({ rows, ranges }: PartitionFacts, report: Report): void {
  if (new Set(ranges.map(({ incarnation }) => incarnation)).size > 1) return;
  let highest = -1n;
  for (const { offset, serial } of [...rows].sort((a, b) => compare(a.serial, b.serial))) {
    if (offset < highest) report('rowOrder', `offset ${offset} (row ${serial}) was inserted after ${highest}`, offset);
    else highest = offset;
  }
}

/** I6: every range accounts for the records that really lie in it. */
function checkCounts({ produced, rowsOf, ranges }: PartitionFacts, report: Report): void {
  for (const range of ranges) {
    if (range.kind !== 'batch') continue;
    const sum = range.produced + range.dropped + range.skipped + range.deadLettered;
    if (sum !== range.records) {
      report('rangeUnbalanced', `${nameOf(range)}: ${range.records} records, but ${sum} of them accounted for`);
    }
    const real = { records: 0n, produced: 0n, rows: 0n, dropped: 0n, skipped: 0n };
    for (const record of produced.values()) {
      if (record.fate !== 'committed' || record.offset < range.fromOffset || record.offset >= range.untilOffset)
        continue;
      const values = rowsOf(record);
      real.records += 1n;
      if (values === 'skipped') real.skipped += 1n;
      else if (values.length === 0) real.dropped += 1n;
      else {
        real.produced += 1n;
        real.rows += BigInt(values.length);
      }
    }
    for (const [name, count] of Object.entries(real)) {
      const counted = range[name as keyof typeof real];
      if (counted !== count) {
        report('rangeMiscounted', `${nameOf(range)} says ${name} ${counted}, it holds ${count}`, range.fromOffset);
      }
    }
  }
}

/** In how many incarnations a range with output holds the offset. */
function timesProcessed(offset: bigint, ranges: readonly LedgerRange[]): number {
  const holding = ranges.filter(
    (range) => range.kind === 'batch' && range.fromOffset <= offset && offset < range.untilOffset,
  );
  return new Set(holding.map(({ incarnation }) => incarnation)).size;
}

function rowKey(offset: bigint, value: string): string {
  return `${offset} ${value}`;
}

function add(counts: Map<string, number>, key: string, times: number): void {
  counts.set(key, (counts.get(key) ?? 0) + times);
}

function nameOf({ kind, seq, fromOffset, untilOffset }: LedgerRange): string {
  return `${kind} ${seq} [${fromOffset}, ${untilOffset})`;
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
