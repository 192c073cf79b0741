/**
 * The records of the bench: order events as JSON of 183 bytes on average, made from their number alone, so that the topic,
 * the files for `\copy` and the rivals all hold the same rows without passing them around.
 */
export interface OrderEvent {
  readonly id: number;
  readonly account: string;
  readonly amount: string;
  readonly quantity: number;
  readonly paid: boolean;
  /** ISO 8601 with milliseconds, UTC. */
  readonly created: string;
  readonly currency: string;
  readonly note: string;
}

const firstOrderMs = Date.UTC(2026, 0, 1);
const currencies = ['EUR', 'USD', 'GBP', 'CHF', 'PLN', 'SEK'] as const;
/** Mostly plain; a few with a quote (an escape in JSON) and with letters outside ASCII, as in real notes. */
const notes = [
  'leave it with the neighbours of no. 4',
  'ring twice, second floor on the left',
  'no invoice in the parcel, it is a gift',
  'gift: wrap it well, no price tag on it',
  'deliver after six, nobody in before it',
  'call one hour before you deliver it',
  'collect at the parcel shop next Monday',
  'the door is behind the house, turn left',
] as const;
const quoted = 'the sign says "Meyer & sons", ring there';
const foreign = 'für Zoë, Łódź, 3. Stock, bitte klingeln';

/** A number in [0, 2^32) that depends on `index` only (the finaliser of MurmurHash3). */
function mixed(index: number): number {
  let hash = Math.imul(index ^ (index >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function orderEvent(index: number): OrderEvent {
  const hash = mixed(index + 1);
  const cents = hash % 1_000_000;
  return {
    id: 1_000_000_000 + index,
    account: `acc-${String(hash % 100_000).padStart(6, '0')}`,
    amount: `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`,
    quantity: 1 + ((hash >>> 8) % 12),
    paid: (hash & 8) !== 0,
    created: new Date(firstOrderMs + index * 7).toISOString(),
    currency: currencies[(hash >>> 4) % currencies.length] ?? 'EUR',
    note: noteOf(index, hash),
  };
}

function noteOf(index: number, hash: number): string {
  if (index % 64 === 63) return quoted;
  if (index % 64 === 31) return foreign;
  return notes[(hash >>> 12) % notes.length] ?? quoted;
}

/** As the topic has it. */
export function eventJson(event: OrderEvent): string {
  const { id, account, amount, quantity, paid, created, currency } = event;
  // Only the note can hold what JSON escapes.
  const note = JSON.stringify(event.note);
  return `{"id":${id},"account":"${account}","amount":${amount},"quantity":${quantity},"paid":${paid},"created":"${created}","currency":"${currency}","note":${note}}`;
}

/** Where record `index` of the topic stands: partitions are filled in turn. */
export function placeOf(index: number, partitions: number): { readonly partition: number; readonly offset: number } {
  return { partition: index % partitions, offset: Math.floor(index / partitions) };
}
