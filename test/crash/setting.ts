import { afterAll, beforeAll } from 'vitest';
import { kafkaService, postgresService, type TestDatabase } from '../services/index.ts';
import { type KafkaDriverEnvironment, kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { type Input, type InputOptions, produceInput } from './input.ts';
import { newTrial, type Trial, type TrialSetting } from './trial.ts';

/** What the tests of a file share: a broker, a database, and one input that nobody appends to. */
export interface Setting {
  readonly environment: KafkaDriverEnvironment;
  readonly brokers: readonly string[];
  readonly database: TestDatabase;
  readonly input: Input;
  /** A trial on the shared input, or on another one. */
  trial(changes?: Partial<TrialSetting>): Promise<Trial>;
}

const usual: InputOptions = { filled: 3, rounds: 4, recordsPerStep: 12 };

/** The setting of a file, for use inside of its tests. */
export function sharedSetting(options: InputOptions = usual): () => Setting {
  let setting: Setting | undefined;
  beforeAll(async () => {
    const [{ brokers }, postgres] = await Promise.all([kafkaService(), postgresService()]);
    const [environment, database] = await Promise.all([
      kafkaDriverEnvironment(brokers),
      postgres.createDatabase('crash'),
    ]);
    const input = await produceInput(environment, options);
    const trial = (changes: Partial<TrialSetting> = {}) => newTrial({ database, brokers, input, ...changes });
    setting = { environment, brokers, database, input, trial };
  });
  afterAll(async () => {
    await setting?.environment.close();
    await setting?.database.drop();
  });
  return () => {
    if (setting === undefined) throw new Error('the setting is there once tests run');
    return setting;
  };
}
