import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type PipelineWorld, pipelineWorld } from '../support/pipelineWorld.ts';
import { tidemark } from '../support/tidemarkCommand.ts';

const values = (count: number) => Array.from({ length: count }, (_, id) => JSON.stringify({ id }));
const apart = 'Offsets are committed after the output: a range that was between the two in a crash is written again';

async function run(world: PipelineWorld, ...args: readonly string[]) {
  return tidemark([...args, 'orders.yaml'], { cwd: world.folder, environment: world.environment });
}

async function stored(world: PipelineWorld): Promise<readonly unknown[]> {
  const { stdout, stderr } = await run(world, 'offsets', 'describe', '--json');
  const described = stdout === '' ? undefined : JSON.parse(stdout);
  if (described === undefined) throw new Error(stderr);
  const partitions = described.partitions as readonly { storedOffset: string }[];
  return partitions.map((one) => one.storedOffset);
}

describe('the command line with offsets apart from the rows', () => {
  test('in a file beside the configuration file', async () => {
    const world = await pipelineWorld();
    await world.produce(values(3));
    await world.config({ store: { type: 'file', dir: 'offsets' } });
    const refused = await run(world, 'run', '--until-end');
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('DELIVERY_IMPOSSIBLE');
    await world.config({ delivery: 'at-least-once', store: { type: 'file', dir: 'offsets' } });
    const misused = await run(world, 'run', '--until-end', '--first-start');
    expect([misused.code, misused.stderr]).toEqual([2, expect.stringContaining('--first-start')]);
    const ended = await run(world, 'run', '--until-end', '--json');
    expect(ended.code, ended.stderr).toBe(0);
    const lines = ended.stderr.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line)] : []));
    expect(lines.filter(({ msg }) => msg === apart)).toMatchObject([
      { level: 'warn', pipeline: 'orders', sink: 'postgres', store: 'file', delivery: 'at-least-once' },
    ]);
    const { offsets } = JSON.parse(await readFile(join(world.folder, 'offsets', 'orders.json'), 'utf8'));
    expect(offsets).toMatchObject([{ nextOffset: '3' }]);
    expect(await stored(world)).toEqual(['3']);
    const reset = await run(world, 'offsets', 'reset', '--to-earliest', '--execute');
    expect(reset.code, reset.stderr).toBe(0);
    expect(await stored(world)).toEqual(['0']);
  });

  test('in a consumer group, whose first start has to be said', async () => {
    const world = await pipelineWorld();
    await world.produce(values(3));
    const store = { type: 'kafka', groupId: `${world.topic}-offsets` };
    await world.config({ delivery: 'at-least-once', store });
    const guessed = await run(world, 'run', '--until-end');
    expect([guessed.code, guessed.stderr]).toEqual([1, expect.stringContaining('NO_START_OFFSET')]);
    const first = await run(world, 'run', '--until-end', '--first-start');
    expect(first.code, first.stderr).toBe(0);
    expect(await stored(world)).toEqual(['3']);
    await world.produce(values(2));
    const second = await run(world, 'run', '--until-end');
    expect(second.code, second.stderr).toBe(0);
    expect(await stored(world)).toEqual(['5']);
    expect((await world.query<{ rows: string }>('SELECT count(*) AS rows FROM public.orders'))[0]?.rows).toBe('5');
  });
});
