import { isTidemarkError, type TidemarkError } from '../../src/errors.ts';
import type { Fetcher, FollowStart, KafkaDriver, PartitionStream } from '../../src/kafka/index.ts';
import type { TopicPartition } from '../../src/model/index.ts';
import { systemClock } from '../../src/platform/index.ts';
import { type DriverEnvironment, MemoryCluster } from '../../src/testkit/index.ts';
import { MemoryDriver } from '../../src/testkit/memory/driver.ts';
import { Faults } from '../../src/testkit/memory/faults.ts';
import { GroupOffsets } from '../../src/testkit/memory/groupOffsets.ts';
import { Groups } from '../../src/testkit/memory/groups.ts';
import { connectionLost, type KafkaCall, Link } from '../../src/testkit/memory/link.ts';
import { MemoryProducer, Producers } from '../../src/testkit/memory/producers.ts';
import { Topics } from '../../src/testkit/memory/topics.ts';
import { memoryDriverEnvironment } from './memoryDriverEnvironment.ts';

/** Where a wrong driver goes on after an error that should have ended its stream; undefined: it ends. */
type GoesOn = (error: TidemarkError, start: FollowStart, driver: KafkaDriver) => Promise<FollowStart | undefined>;

/** A driver that jumps to the log start when its position is gone, as clients do. */
export function silentlyResetting(): DriverEnvironment {
  return withDrivers(async (error, start) => {
    const { code, fromOffset } = error;
    return code === 'KAFKA_OFFSET_OUT_OF_RANGE' && fromOffset !== undefined ? { ...start, fromOffset } : undefined;
  });
}

/** A driver that reads by name, and takes whatever topic has it now. */
export function readingByName(): DriverEnvironment {
  return withDrivers(async (error, start, driver) => {
    if (error.code !== 'KAFKA_TOPIC_RECREATED') return undefined;
    const [description] = await driver.describeTopics([start.topic]);
    return { ...start, topicId: description?.topicId ?? '' };
  });
}

/** A driver that is not told which transactions aborted, and so delivers their records. */
export function leakingAborted(): DriverEnvironment {
  const clock = systemClock;
  const topics = new Topics(clock, 1);
  const offsets = new GroupOffsets(topics);
  const producers = new Producers(topics, offsets, clock);
  const groups = new Groups(topics, clock, true);
  const faults = new Faults<KafkaCall>(clock, connectionLost);
  const membership = { protocols: ['eager'], staticMembership: true, awaitsRevocation: true } as const;
  const blind = withMember(topics, 'partition', (of: TopicPartition) => {
    const { leader, log } = topics.partition(of);
    return { leader, log: withMember(log, 'abortedWithin', () => []) };
  });
  let names = 0;
  const newName = () => {
    names += 1;
    return `topic-${names}`;
  };
  return {
    ...memoryDriverEnvironment(),
    newDriver: async () => {
      const link = new Link('blind', clock, faults);
      const capabilities = { topicIdentity: true, verbatim: true, membership };
      return new MemoryDriver({ topics: blind, offsets, link, groups, capabilities });
    },
    createTopic: async ({ partitions = 1 } = {}) => topics.create(newName(), partitions, {}).topic,
    produce: async (topic, partition, records) => producers.write({ topic, partition }, records),
    beginTransaction: async () => {
      const transaction = new MemoryProducer(producers, newName()).beginTransaction();
      return {
        send: async (topic, partition, records) => transaction.send(topic, partition, records),
        sendOffsets: async (groupId, offsets) => transaction.sendOffsets(groupId, offsets),
        commit: async () => transaction.commit(),
        abort: async () => transaction.abort(),
      };
    },
  };
}

/** A driver that takes an offset that a transaction is about to write for none. */
export function readingPendingAsNone(): DriverEnvironment {
  return withCall('committedOffsets', (_, cluster) => async (groupId, topics = cluster.topics) => {
    try {
      return topics.flatMap((topic) => cluster.committedOffsets(groupId, topic));
    } catch {
      return [];
    }
  });
}

/** A driver that writes offsets into a group whoever is in it, as a transaction can. */
export function committingPastMembers(): DriverEnvironment {
  return withCall('commitOffsets', (driver, cluster) => async (groupId, offsets) => {
    await driver.commitOffsets(groupId, offsets).catch(() => {
      const transaction = cluster.beginTransaction();
      transaction.sendOffsets(groupId, offsets);
      transaction.commit();
    });
  });
}

/** A driver that calls a commit done which the group has refused. */
export function committingSilently(): DriverEnvironment {
  return withCall('commitOffsets', (driver) => (groupId, offsets) => {
    return driver.commitOffsets(groupId, offsets).catch(() => {});
  });
}

/** Drivers of a memory cluster with one call in the place of their own. */
function withCall<K extends keyof KafkaDriver>(
  name: K,
  call: (driver: KafkaDriver, cluster: MemoryCluster) => KafkaDriver[K],
): DriverEnvironment {
  const cluster = new MemoryCluster();
  const environment = memoryDriverEnvironment(cluster);
  const newDriver = async () => {
    const driver = await environment.newDriver();
    return withMember(driver, name, call(driver, cluster));
  };
  return { ...environment, newDriver };
}

function withDrivers(goesOn: GoesOn): DriverEnvironment {
  const environment = memoryDriverEnvironment();
  return { ...environment, newDriver: async () => seeded(await environment.newDriver(), goesOn) };
}

function seeded(driver: KafkaDriver, goesOn: GoesOn): KafkaDriver {
  const openFetcher: KafkaDriver['openFetcher'] = (options) => {
    const fetcher = driver.openFetcher(options);
    return { follow: (start) => new SeededStream(fetcher, start, driver, goesOn), close: () => fetcher.close() };
  };
  return withMember(driver, 'openFetcher', openFetcher);
}

/** An object with one member in the place of its own. */
function withMember<T extends object, K extends keyof T>(real: T, name: K, member: T[K]): T {
  return new Proxy(real, {
    get: (target, asked) => {
      if (asked === name) return member;
      const own = Reflect.get(target, asked) as unknown;
      return typeof own === 'function' ? own.bind(target) : own;
    },
  });
}

/** A stream that follows again where it should have ended. */
class SeededStream implements PartitionStream {
  readonly topic: string;
  readonly partition: number;
  /** Set when the stream has ended in spite of all. */
  error: Error | undefined;
  #stream: PartitionStream;

  constructor(fetcher: Fetcher, start: FollowStart, driver: KafkaDriver, goesOn: GoesOn) {
    this.topic = start.topic;
    this.partition = start.partition;
    const onChange = () => {
      const { error, fetchedUntil } = this.#stream;
      if (error === undefined) start.onChange();
      else void goOn(error, fetchedUntil);
    };
    const goOn = async (error: Error, fromOffset: bigint) => {
      const again = isTidemarkError(error) ? await goesOn(error, { ...start, fromOffset }, driver) : undefined;
      if (again === undefined) this.error = error;
      else this.#stream = fetcher.follow({ ...again, onChange });
      start.onChange();
    };
    this.#stream = fetcher.follow({ ...start, onChange });
  }

  get bounds() {
    return this.#stream.bounds;
  }
  get takenUntil() {
    return this.#stream.takenUntil;
  }
  get fetchedUntil() {
    return this.#stream.fetchedUntil;
  }
  get bufferedBytes() {
    return this.#stream.bufferedBytes;
  }
  get retrying() {
    return this.#stream.retrying;
  }
  take() {
    return this.#stream.take();
  }
  seek(offset: bigint) {
    this.#stream.seek(offset);
  }
  close() {
    this.#stream.close();
  }
}
