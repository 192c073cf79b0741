import { basename, dirname } from 'node:path';
import { type DurableFile, type DurableFiles, turnEventLoop } from '../../src/platform/index.ts';
import type { LockProcesses } from '../../src/wal/lock.ts';

/**
 * A disk in memory that keeps after a crash what was synced, and of the rest what the test says: the worst a file system
 * may do. Contents are kept by operations: writes of one file may survive in part, torn at a byte or sector by sector in
 * any order; names by theirs: each change of a directory survives or not, whatever became of the others.
 */

type Operation = { readonly at: number; readonly bytes: Buffer } | { readonly truncate: number };

interface Inode {
  /** What is on the disk. */
  durable: Buffer;
  /** What a reader sees. */
  seen: Buffer;
  /** Seen, and not yet on the disk. */
  pending: Operation[];
}

type NameChange = (names: Map<string, Inode>) => void;

/** What survives a loss of power. */
export interface Survival {
  /** Of the pending operations of a file: how many are done, and the bytes done of the one after them. */
  contents(operations: readonly Operation[], path: string): { readonly done: number; readonly tornAt: number };
  /** Whether sector `sector` of the pending operations is on the disk, where contents() leaves it out. */
  sector?(sector: number): boolean;
  /** Whether a pending change of names is. */
  name(change: number): boolean;
}

export const nothingSurvives: Survival = { contents: () => ({ done: 0, tornAt: 0 }), name: () => false };
export const everythingSurvives: Survival = {
  contents: (operations) => ({ done: operations.length, tornAt: 0 }),
  name: () => true,
};

const sectorBytes = 512;

export class PowerLoss extends Error {}

export class WalDisk implements DurableFiles {
  /** Total of all files, or what there is room for. */
  capacityBytes = Number.POSITIVE_INFINITY;
  isReadOnly = false;
  /** How long a sync takes, in turns of the event loop. */
  syncTurns = 0;
  /** Called before every operation; what it throws is what the operation throws. */
  before: (operation: string, path: string) => void = () => {};
  operations = 0;
  /** The operation with this number does not happen any more, nor does anything after it. */
  lossAt = Number.POSITIVE_INFINITY;
  #names = new Map<string, Inode>();
  #durableNames = new Map<string, Inode>();
  #changes: NameChange[] = [];
  /** Handles of processes that died with the power are no use. */
  #life = 0;

  /** The power comes back: what was not synced is as `survival` says. */
  restart(survival: Survival): void {
    const names = new Map(this.#durableNames);
    for (const [at, change] of this.#changes.entries()) if (survival.name(at)) change(names);
    for (const [path, inode] of names) {
      const { done, tornAt } = survival.contents(inode.pending, path);
      for (const operation of inode.pending.slice(0, done)) inode.durable = applied(inode.durable, operation);
      const torn = inode.pending[done];
      if (torn !== undefined && 'at' in torn && tornAt > 0) {
        inode.durable = applied(inode.durable, { at: torn.at, bytes: torn.bytes.subarray(0, tornAt) });
      }
      if (survival.sector !== undefined) keepSectors(inode, done, survival.sector);
      inode.seen = Buffer.from(inode.durable);
      inode.pending = [];
    }
    this.#names = names;
    this.#durableNames = new Map(names);
    this.#changes = [];
    this.#reborn();
  }

  /** The process is killed and the system lives on: everything that was written is seen. */
  kill(): void {
    this.#reborn();
  }

  #reborn(): void {
    this.#life += 1;
    this.lossAt = Number.POSITIVE_INFINITY;
  }

  names(): readonly string[] {
    return [...this.#names.keys()].map((path) => basename(path)).sort();
  }

  bytes(path: string): Buffer {
    return this.#inode(path).seen;
  }

  /** Changes a file behind everybody's back, durably. */
  change(path: string, bytes: Buffer): void {
    const inode = this.#names.get(path) ?? { durable: bytes, seen: bytes, pending: [] };
    inode.durable = Buffer.from(bytes);
    inode.seen = Buffer.from(bytes);
    inode.pending = [];
    this.#names.set(path, inode);
    this.#durableNames.set(path, inode);
  }

  /** Removes or renames a file behind everybody's back, durably. */
  move(path: string, to?: string): void {
    const inode = this.#inode(path);
    for (const names of [this.#names, this.#durableNames]) {
      names.delete(path);
      if (to !== undefined) names.set(to, inode);
    }
  }

  /** The same files, apart from these: for a copied directory, or to break it again and again. */
  copy(): WalDisk {
    const copy = new WalDisk();
    for (const [path, { seen }] of this.#names) copy.change(path, seen);
    return copy;
  }

  async makeDirectory(path: string): Promise<void> {
    this.#step('makeDirectory', path);
  }

  async list(path: string): Promise<readonly string[]> {
    this.#step('list', path);
    return [...this.#names.keys()].filter((name) => dirname(name) === path).map((name) => basename(name));
  }

  async open(path: string, mode: 'read' | 'write' | 'create'): Promise<DurableFile> {
    this.#step('open', path);
    if (mode === 'read') return new ModelFile(this, path, this.#inode(path));
    this.#checkWritable(path);
    if (mode === 'write') return new ModelFile(this, path, this.#inode(path));
    if (this.#names.has(path)) throw errno('EEXIST', path);
    const inode: Inode = { durable: Buffer.alloc(0), seen: Buffer.alloc(0), pending: [] };
    this.#change((names) => names.set(path, inode));
    return new ModelFile(this, path, inode);
  }

  async rename(from: string, to: string): Promise<void> {
    this.#step('rename', from);
    this.#checkWritable(from);
    this.#inode(from);
    this.#change((names) => {
      const inode = names.get(from);
      if (inode === undefined) return;
      names.delete(from);
      names.set(to, inode);
    });
  }

  async remove(path: string): Promise<void> {
    this.#step('remove', path);
    this.#checkWritable(path);
    this.#inode(path);
    this.#change((names) => names.delete(path));
  }

  async syncDirectory(path: string): Promise<void> {
    this.#step('syncDirectory', path);
    this.#durableNames = new Map(this.#names);
    this.#changes = [];
  }

  /** For files: counts, and lets the test interfere. */
  step(operation: string, path: string, life: number): void {
    if (life !== this.#life) throw new PowerLoss('a process that is dead');
    this.#step(operation, path);
  }

  /** Whether the power is still on for what takes its time. */
  checkAlive(path: string, life: number): void {
    if (life !== this.#life || this.operations >= this.lossAt) throw new PowerLoss(path);
  }

  get life(): number {
    return this.#life;
  }

  get bytesFree(): number {
    let used = 0;
    for (const { seen } of this.#names.values()) used += seen.length;
    return this.capacityBytes - used;
  }

  #step(operation: string, path: string): void {
    if (this.operations >= this.lossAt) throw new PowerLoss(`${operation} ${path}`);
    this.operations += 1;
    this.before(operation, path);
  }

  #change(change: NameChange): void {
    this.#changes.push(change);
    change(this.#names);
  }

  #checkWritable(path: string): void {
    if (this.isReadOnly) throw errno('EROFS', path);
  }

  #inode(path: string): Inode {
    const inode = this.#names.get(path);
    if (inode === undefined) throw errno('ENOENT', path);
    return inode;
  }
}

class ModelFile implements DurableFile {
  readonly #disk: WalDisk;
  readonly #path: string;
  readonly #inode: Inode;
  readonly #life: number;

  constructor(disk: WalDisk, path: string, inode: Inode) {
    this.#disk = disk;
    this.#path = path;
    this.#inode = inode;
    this.#life = disk.life;
  }

  async size(): Promise<number> {
    this.#step('size');
    return this.#inode.seen.length;
  }

  async read(into: Uint8Array, byteOffset: number): Promise<number> {
    this.#step('read');
    return this.#inode.seen.copy(into, 0, Math.min(byteOffset, this.#inode.seen.length));
  }

  async write(parts: readonly Uint8Array[], byteOffset: number): Promise<void> {
    this.#step('write');
    const bytes = Buffer.concat(parts);
    const grows = Math.max(0, byteOffset + bytes.length - this.#inode.seen.length);
    const missing = Math.max(0, grows - Math.max(0, this.#disk.bytesFree));
    // A disk that fills up takes what it has room for.
    if (missing < bytes.length) this.#apply({ at: byteOffset, bytes: bytes.subarray(0, bytes.length - missing) });
    if (missing > 0) throw errno('ENOSPC', this.#path);
  }

  async truncate(bytes: number): Promise<void> {
    this.#step('truncate');
    this.#apply({ truncate: bytes });
  }

  async sync(): Promise<void> {
    const { pending } = this.#inode;
    try {
      this.#step('sync');
    } catch (error) {
      // What could not be written is forgotten and goes on being seen: the next sync will not complain.
      if (!(error instanceof PowerLoss)) this.#inode.pending = [];
      throw error;
    }
    // It takes its time, and what is written meanwhile is not part of it.
    const count = pending.length;
    for (let turn = 0; turn < this.#disk.syncTurns; turn += 1) await turnEventLoop();
    this.#disk.checkAlive(this.#path, this.#life);
    for (const operation of pending.slice(0, count)) this.#inode.durable = applied(this.#inode.durable, operation);
    this.#inode.pending = this.#inode.pending.slice(count);
  }

  async close(): Promise<void> {
    this.#step('close');
  }

  #apply(operation: Operation): void {
    this.#inode.pending.push(operation);
    this.#inode.seen = applied(this.#inode.seen, operation);
  }

  #step(operation: string): void {
    this.#disk.step(operation, this.#path, this.#life);
  }
}

function applied(before: Buffer, operation: Operation): Buffer {
  if ('truncate' in operation) {
    const after = Buffer.alloc(operation.truncate);
    before.copy(after);
    return after;
  }
  const after = Buffer.alloc(Math.max(before.length, operation.at + operation.bytes.length));
  before.copy(after);
  operation.bytes.copy(after, operation.at);
  return after;
}

/** Of the writes that are not done: their sectors, in any order; the file may be longer than what is in it. */
function keepSectors(inode: Inode, done: number, isKept: (sector: number) => boolean): void {
  let sector = 0;
  for (const operation of inode.pending.slice(done)) {
    if ('truncate' in operation) return;
    for (let from = 0; from < operation.bytes.length; from += sectorBytes) {
      sector += 1;
      if (!isKept(sector)) continue;
      const bytes = operation.bytes.subarray(from, from + sectorBytes);
      inode.durable = applied(inode.durable, { at: operation.at + from, bytes });
    }
  }
}

export function errno(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

/** One process after the other: every new one finds the one before it dead. */
export function processNumber(
  pid: number,
  isAlive: (pid: number) => boolean = (other) => other === pid,
): LockProcesses {
  return {
    self: { host: 'model', bootId: 'boot', pid, startTicks: String(pid) },
    isAlive: (holder) => isAlive(holder.pid),
  };
}
