import { packageName } from '../../scripts/confluent/place.ts';
import type { GroupProtocol, kafkaDrivers } from '../../src/kafka/index.ts';
import { skipWithout } from '../services/index.ts';
import { provideConfluent } from '../support/confluentFolder.ts';

/** A way to be a member: a driver and one of its protocols. */
export interface MembershipWay {
  readonly driver: (typeof kafkaDrivers)[number];
  readonly protocol: GroupProtocol;
}

/** All there are, for tables of tests, with the name that options give them. */
export const ways: readonly { readonly name: string; readonly way: MembershipWay }[] = (
  [
    { driver: 'kafkajs', protocol: 'eager' },
    { driver: 'confluent', protocol: 'consumer' },
    { driver: 'confluent', protocol: 'cooperative' },
    { driver: 'confluent', protocol: 'eager' },
  ] as const
).map((way) => ({ name: `${way.driver}:${way.protocol}`, way }));

const hasConfluent = provideConfluent();

/** Those of this machine. */
export function availableWays(): typeof ways {
  return ways.filter(({ way }) => isAvailable(way));
}

/** Skips a test where its client library has not been built. */
export function needsWay(context: { skip(note: string): never }, way: MembershipWay): void {
  if (!isAvailable(way)) skipWithout(context, way.driver, `${packageName} is not built: npm run confluent`);
}

function isAvailable({ driver }: MembershipWay): boolean {
  return driver === 'kafkajs' || hasConfluent;
}
