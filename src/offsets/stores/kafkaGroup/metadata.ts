import { TidemarkError } from '../../../errors.ts';
import { isMirrorMetadata } from '../../mirrorMetadata.ts';
import { partitionStates } from '../../store.ts';
import type { Row } from '../unfenced/index.ts';

/**
 * What goes with an offset into the group, for the next process: `tidemark:<pipeline>`, a blank, and JSON.
 *
 *     tidemark:orders {"v":1,"id":"kV0…","leader":3,"epoch":"12","inc":"1","at":1768478400000}
 *
 * `id`: topic id; `leader`: leader epoch of the last batch read below; `epoch`: owner epoch; `inc`: incarnation; `state`, where
 * it is not running, and `why`; `at`: when it was written, ms since 1970. `tidemark:<pipeline>` alone is the mirror of a ledger.
 */
export type Metadata = Pick<
  Row,
  'topicId' | 'leaderEpoch' | 'ownerEpoch' | 'incarnation' | 'state' | 'reason' | 'changedAtMs'
>;

export const metadataVersion = 1;
/** Of a reason, in UTF-16 units: with six bytes for each, all of it stays below the broker's limit of 4096 bytes. */
const reasonLengthMax = 500;

export function encodeMetadata(pipeline: string, row: Metadata): string {
  const { topicId, leaderEpoch, ownerEpoch, incarnation, state, reason, changedAtMs } = row;
  const facts = {
    v: metadataVersion,
    id: topicId,
    leader: leaderEpoch,
    epoch: String(ownerEpoch),
    inc: String(incarnation),
    ...(state === 'running' ? {} : { state }),
    ...(reason === null ? {} : { why: reason.slice(0, reasonLengthMax).toWellFormed() }),
    at: changedAtMs,
  };
  return `tidemark:${encodeURIComponent(pipeline)} ${JSON.stringify(facts)}`;
}

/** `mirror`: of a ledger that lives elsewhere; undefined: of somebody who is not tidemark. Throws STORE_SCHEMA_UNSUPPORTED for a newer version. */
export function decodeMetadata(text: string): Metadata | 'mirror' | undefined {
  if (isMirrorMetadata(text)) return 'mirror';
  const [, json] = /^tidemark:[^ ]+ (.*)$/s.exec(text) ?? [];
  if (json === undefined) return undefined;
  const facts = parse(json);
  if (typeof facts.v === 'number' && facts.v > metadataVersion) {
    throw new TidemarkError(
      'STORE_SCHEMA_UNSUPPORTED',
      `An offset of the group has metadata of version ${facts.v}, this tidemark knows versions up to ${metadataVersion}`,
      { hint: 'Run the version of tidemark that wrote it, or a newer one.' },
    );
  }
  const { v, id, leader, epoch, inc, state = 'running', why = null, at } = facts;
  const known = partitionStates.find((one) => one === state);
  const isWhole =
    v === metadataVersion && typeof id === 'string' && Number.isSafeInteger(leader) && typeof at === 'number';
  if (!isWhole || !isCounter(epoch) || !isCounter(inc) || known === undefined) return undefined;
  if (why !== null && typeof why !== 'string') return undefined;
  return {
    topicId: id,
    leaderEpoch: leader as number,
    ownerEpoch: BigInt(epoch),
    incarnation: BigInt(inc),
    state: known,
    reason: why,
    changedAtMs: at,
  };
}

function isCounter(value: unknown): value is string {
  return typeof value === 'string' && /^\d{1,19}$/.test(value);
}

function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    const facts: unknown = JSON.parse(text);
    return typeof facts === 'object' && facts !== null ? (facts as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
