import { isTidemarkError, type TidemarkError } from '../../src/errors.ts';
import type { Fetcher, FollowStart, KafkaDriver, PartitionStream } from '../../src/kafka/index.ts';
import type { DriverEnvironment } from '../../src/testkit/index.ts';
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

/** A driver that delivers aborted records. To the suite that is the same as an abort that did not happen. */
export function leakingAborted(): DriverEnvironment {
  const environment = memoryDriverEnvironment();
  return {
    ...environment,
    beginTransaction: async () => {
      const transaction = await environment.beginTransaction();
      return { ...transaction, abort: () => transaction.commit() };
    },
  };
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
  return new Proxy(driver, {
    get: (target, name) => {
      if (name === 'openFetcher') return openFetcher;
      const member = Reflect.get(target, name) as unknown;
      return typeof member === 'function' ? member.bind(target) : member;
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
