import { isTidemarkError } from '../../src/errors.ts';
import { createDriver, type GroupProtocol, kafkaDrivers } from '../../src/kafka/index.ts';

/** A way to be a member: a driver and one of its protocols. */
export interface MembershipWay {
  readonly driver: (typeof kafkaDrivers)[number];
  readonly protocol: GroupProtocol;
}

/** Those of this machine: a client library that is not installed brings none. */
export async function availableMemberships(): Promise<readonly MembershipWay[]> {
  const ways = await Promise.all(kafkaDrivers.map(waysOf));
  return ways.flat();
}

/** As options name it: `kafkajs:eager`. */
export function nameOfWay({ driver, protocol }: MembershipWay): string {
  return `${driver}:${protocol}`;
}

async function waysOf(driver: MembershipWay['driver']): Promise<MembershipWay[]> {
  try {
    const { capabilities, close } = await createDriver({ driver, brokers: ['127.0.0.1:9'] }).then((created) => ({
      capabilities: created.capabilities,
      close: () => created.close(),
    }));
    await close();
    return capabilities.membership.protocols.map((protocol) => ({ driver, protocol }));
  } catch (error) {
    if (isTidemarkError(error) && error.code === 'KAFKA_DRIVER_UNAVAILABLE') return [];
    throw error;
  }
}
