import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { forgetSharedServices, hostSharedServices, sharedService } from '../../services/shared.ts';

const hostVariable = 'TIDEMARK_TEST_SERVICES';

/** Counts its starts; each start waits until the test lets it finish. */
function counted() {
  let starts = 0;
  let finish = () => {};
  const finished = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const start = async (options: { name: string }) => {
    starts += 1;
    await finished;
    if (options.name === 'broken') throw new Error('no java');
    return { url: `service://${options.name}` };
  };
  return { start, finish, starts: () => starts };
}

describe.each(['in its own process', 'at the host of the run'])('a shared service %s', (where) => {
  let runHost: string | undefined;
  let host: { close(): Promise<void> } | undefined;
  let starter: ReturnType<typeof counted>;

  beforeEach(async () => {
    // This file runs under the host of the real test run: step out of it.
    runHost = process.env[hostVariable];
    delete process.env[hostVariable];
    forgetSharedServices();
    starter = counted();
    host = where === 'in its own process' ? undefined : await hostSharedServices({ db: starter.start });
  });
  afterEach(async () => {
    await host?.close();
    forgetSharedServices();
    if (runHost !== undefined) process.env[hostVariable] = runHost;
  });

  test('starts on first use, and once, however many ask at the same time', async () => {
    expect(starter.starts()).toBe(0);
    const asking = [1, 2, 3].map((n) => sharedService('db', { name: `db${n}` }, starter.start));
    starter.finish();
    const facts = await Promise.all(asking);
    expect(starter.starts()).toBe(1);
    expect(facts.map(({ url }) => url)).toEqual(Array(3).fill(facts[0]?.url));
    expect(await sharedService('db', { name: 'late' }, starter.start)).toEqual(facts[0]);
  });

  test('fails for everyone with the same words, without a second try', async () => {
    starter.finish();
    for (const _ of [1, 2]) {
      await expect(sharedService('db', { name: 'broken' }, starter.start)).rejects.toThrow('no java');
    }
    expect(starter.starts()).toBe(1);
  });
});

test('a host says which service it does not know', async () => {
  const runHost = process.env[hostVariable];
  const host = await hostSharedServices({});
  try {
    await expect(sharedService('db', {}, async () => ({}))).rejects.toThrow('there is no shared service db');
  } finally {
    await host.close();
    if (runHost !== undefined) process.env[hostVariable] = runHost;
  }
});
