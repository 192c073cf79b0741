import { describe, expect, it } from 'vitest';
import { needsConfluent } from '../support/confluentPackage.ts';
import { sharedSetting } from './setting.ts';
import { paced } from './watching.ts';

needsConfluent();
const setting = sharedSetting();

describe('a pipeline that reads by the confluent driver', () => {
  it('killed in the middle of its work it goes on, and every record is there once', async () => {
    const trial = await setting().trial({ changes: { kafka: { driver: 'confluent' } } });
    const killed = await trial.start({ changes: paced });
    await killed.waitFor('rangeCommitted', 2);
    killed.signal('SIGKILL');
    expect(await killed.ended()).toEqual({ code: null, signal: 'SIGKILL' });
    expect(await trial.violations()).toEqual([]);
    await trial.finish();
  });
});
