import { type PartitionKey, partitionKey } from '../../../model/index.ts';
import type { Book, Row } from '../unfenced/index.ts';

type Seen = Pick<Row, 'nextOffset' | 'ownerEpoch'>;

interface OwnClaim {
  readonly claim: string;
  readonly owner: string | null;
  /** What the group may have of the partition as far as we know: two states where the answer to a commit is missing. */
  readonly expected: readonly Seen[];
}

/**
 * The claims of this process: a group has no place for them. One ends when the group has what we did not write: somebody moved
 * the offset, or another process works on the partition, and whoever held it has to look again.
 */
export class OwnClaims {
  readonly #claims = new Map<PartitionKey, OwnClaim>();

  /** A row as the group has it, with our claim where it still holds. */
  onto(row: Row): Row {
    const key = partitionKey(row);
    const own = this.#claims.get(key);
    if (own === undefined) return row;
    if (!own.expected.some((seen) => isSame(seen, row))) {
      this.#claims.delete(key);
      return row;
    }
    this.#claims.set(key, { ...own, expected: [row] });
    return { ...row, claim: own.claim, owner: own.owner };
  }

  /** Partitions that the group does not know any more are nobody's. */
  keepOnly(rows: ReadonlyMap<PartitionKey, Row>): void {
    for (const key of this.#claims.keys()) if (!rows.has(key)) this.#claims.delete(key);
  }

  saved({ rows }: Book): void {
    this.#claims.clear();
    for (const [key, row] of rows) {
      if (row.claim !== null) this.#claims.set(key, { claim: row.claim, owner: row.owner, expected: [row] });
    }
  }

  /** The answer is missing: the claims are those of before, and either state is ours. */
  inDoubt(after: Book, before: Book): void {
    for (const [key, own] of this.#claims) {
      const states = [before.rows.get(key), after.rows.get(key)].flatMap((row) => row ?? []);
      this.#claims.set(key, { ...own, expected: states });
    }
  }
}

function isSame(a: Seen, b: Seen): boolean {
  return a.nextOffset === b.nextOffset && a.ownerEpoch === b.ownerEpoch;
}
