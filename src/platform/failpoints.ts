/**
 * Failpoints name the lines where dying is dangerous. Unset they cost one property read. A test starts a child with
 * `TIDEMARK_FAILPOINT=<name>[@n]:kill` (SIGKILL itself), `:stop` (SIGSTOP itself) or `:throw`, on the n-th pass
 * (default the first).
 */
export const failpointNames = [
  'direct.beforeRead',
  'direct.afterRead',
  'sink.beforeWrite',
  'sink.midCopy',
  'sink.beforeCommit',
  'sink.commitSent',
  'sink.afterCommit',
  'store.beforeClaim',
  'store.afterClaim',
  'store.beforeRelease',
  'store.afterInitialise',
  'store.midMigration',
] as const;
export type FailpointName = (typeof failpointNames)[number];

/** Those of the write-ahead log, which a pipeline in direct mode never passes. */
export const walFailpointNames = [
  'wal.beforeWrite',
  'wal.beforeSync',
  'wal.afterSync',
  'wal.beforeSegment',
  'wal.beforeSegmentNoted',
  'wal.afterSegment',
  'wal.beforeState',
  'wal.afterState',
  'wal.beforeDelete',
  'wal.afterDelete',
] as const;
export type WalFailpointName = (typeof walFailpointNames)[number];

/** Those of receiver mode, beside what it shares with direct mode. */
export const receiverFailpointNames = [
  'receiver.beforeBlockLogged',
  'receiver.afterBlockLogged',
  'receiver.beforeGroupCommit',
  'receiver.afterGroupCommit',
  'receiver.beforeAllocation',
  'receiver.afterAllocation',
  'receiver.beforeCleanup',
  'receiver.afterCleanup',
  'receiver.beforeWatermark',
  'receiver.afterWatermark',
] as const;
export type ReceiverFailpointName = (typeof receiverFailpointNames)[number];

/** Those of a file that is made or replaced at once: of locks, of the state of a log, of the file store. */
export const fileFailpointNames = ['file.beforeRename', 'file.afterRename'] as const;
export type FileFailpointName = (typeof fileFailpointNames)[number];

interface Armed {
  readonly name: string;
  readonly action: string;
  remaining: number;
}

const armed = parse(process.env.TIDEMARK_FAILPOINT);

export function failpoint(name: FailpointName | WalFailpointName | ReceiverFailpointName | FileFailpointName): void {
  if (armed !== undefined) trip(armed, name);
}

/** Whether this process is to die or stop here: a crash test may need what comes before to be on its way first. */
export function failpointIsArmed(name: FailpointName): boolean {
  return armed !== undefined && armed.name === name && armed.remaining > 0;
}

function trip(point: Armed, name: string): void {
  if (point.name !== name) return;
  point.remaining -= 1;
  if (point.remaining !== 0) return;
  if (point.action === 'kill') process.kill(process.pid, 'SIGKILL');
  else if (point.action === 'stop') process.kill(process.pid, 'SIGSTOP');
  else throw new Error(`failpoint ${name}`);
}

function parse(text: string | undefined): Armed | undefined {
  const match = /^([\w.]+)(?:@(\d+))?:(kill|stop|throw)$/.exec(text ?? '');
  if (match === null) return undefined;
  return { name: match[1] ?? '', remaining: Number(match[2] ?? '1'), action: match[3] ?? 'kill' };
}
