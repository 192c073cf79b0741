import { afterAll, beforeAll } from 'vitest';
import { kafkaService, postgresService } from '../services/index.ts';
import { kafkaDriverEnvironment } from '../support/kafkaDriverEnvironment.ts';
import { type GroupTrial, type GroupTrialOptions, type GroupTrialSetting, groupTrial } from './groupTrial.ts';

export interface GroupSetting extends GroupTrialSetting {
  trial(options: GroupTrialOptions): Promise<GroupTrial>;
}

/** The broker of the test run, which everybody may use and nobody may harm, and a database; for use inside of tests. */
export function groupSetting(): () => GroupSetting {
  let setting: GroupSetting | undefined;
  beforeAll(async () => {
    const [{ brokers }, postgres] = await Promise.all([kafkaService(), postgresService()]);
    const [environment, database] = await Promise.all([
      kafkaDriverEnvironment(brokers),
      postgres.createDatabase('group'),
    ]);
    const facts = { environment, brokers, database };
    setting = { ...facts, trial: (options) => groupTrial(facts, options) };
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
