import type { ProcessIdentity } from '../platform/index.ts';
import type { OwnerStatus, StoredOffset } from './store.ts';

/** An owner whose heartbeat is this old is taken for dead. It beats once a second. */
export const heartbeatTimeoutMs = 5000;

/** Whether an owner shows signs of life. */
export function isAlive({ heartbeatAgeMs }: Pick<OwnerStatus, 'heartbeatAgeMs'>): boolean {
  return heartbeatAgeMs < heartbeatTimeoutMs;
}

export interface ClaimOptions {
  /** Claim from a live owner as well. */
  readonly takeOver: boolean;
  /** Whether a process of this boot lives. */
  readonly processLives: (pid: number) => boolean;
}

/**
 * Whether a partition may be claimed now (assignment `all` or a list). An owner that shows signs of life is left alone: a
 * second deployment is a hot standby and not a fight. Being wrong here costs a fencing, never a record.
 */
export function decideClaim(
  row: Pick<StoredOffset, 'claim' | 'owner'>,
  owners: readonly OwnerStatus[],
  self: ProcessIdentity,
  options: ClaimOptions,
): 'claim' | 'standby' {
  if (row.claim === null || row.owner === null || row.owner === self.instanceId || options.takeOver) return 'claim';
  const owner = owners.find(({ instanceId }) => instanceId === row.owner);
  if (owner === undefined || !isAlive(owner)) return 'claim';
  const isNeighbour = owner.host === self.host && owner.bootId !== '' && owner.bootId === self.bootId;
  return isNeighbour && !options.processLives(owner.pid) ? 'claim' : 'standby';
}
