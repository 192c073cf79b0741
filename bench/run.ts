/**
 * The bench: node --import jiti/register bench/run.ts [names…] [--runs 5] [--records 2000000] [--json FILE] [--list]
 *
 * Names are workloads of bench/pipeline and files of bench/micro; `pipeline` and `micro` stand for all of each, and no
 * name for everything. JSON goes to FILE or standard output, the rest to standard error. Exit code 1 when a threshold
 * of bench/baseline.json is missed, 2 when the arguments are wrong. The code measured is the built one, in dist/.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { machineFacts } from './machine.ts';
import { microNames, runMicro } from './micro.ts';
import { Environment } from './pipeline/environment.ts';
import { resultTable } from './pipeline/resultTable.ts';
import { defaultSettings, type Settings } from './pipeline/settings.ts';
import { runWorkload, type WorkloadResult, workloads } from './pipeline/suite.ts';
import { judge, readThresholds } from './pipeline/thresholds.ts';

interface Command {
  readonly workloads: readonly string[];
  readonly micro: readonly string[];
  readonly settings: Settings;
  readonly json: string | undefined;
}

const command = readCommand();
if (command !== undefined) process.exitCode = await run(command);

async function run({ workloads: wanted, micro, settings, json }: Command): Promise<number> {
  const machine = machineFacts();
  const startedAt = new Date().toISOString();
  const pipeline = wanted.length === 0 ? undefined : await runPipelines(wanted, settings);
  const microResults: Record<string, unknown> = {};
  for (const name of micro) microResults[name] = await runMicro(name);
  const text = JSON.stringify({ startedAt, machine, ...pipeline, micro: microResults }, undefined, 2);
  if (json === undefined) console.log(text);
  else writeFileSync(json, `${text}\n`);
  return pipeline?.verdicts.some(({ outcome }) => outcome === 'miss') === true ? 1 : 0;
}

async function runPipelines(wanted: readonly string[], settings: Settings) {
  const environment = await Environment.open(settings);
  const results: Record<string, WorkloadResult> = {};
  try {
    for (const workload of workloads) {
      if (wanted.includes(workload.name)) results[workload.name] = await runWorkload(workload, environment);
    }
  } finally {
    await environment.close();
  }
  const verdicts = readThresholds()
    .filter(({ of }) => of === undefined || wanted.includes(of.split('/')[0] ?? ''))
    .map((threshold) => judge(threshold, results));
  console.error(resultTable(results, verdicts));
  const { versions, preparationSeconds } = environment;
  return { versions, settings, preparationSeconds, workloads: results, verdicts };
}

function readCommand(): Command | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: {
        runs: { type: 'string' },
        records: { type: 'string' },
        json: { type: 'string' },
        list: { type: 'boolean' },
      },
    });
    const pipelines = workloads.map(({ name }) => name);
    if (values.list === true) {
      for (const { name, title } of workloads) console.log(`${name.padEnd(14)}${title}`);
      for (const name of microNames()) console.log(`${name.padEnd(14)}bench/micro/${name}.ts`);
      return undefined;
    }
    const chosen = chosenNames(positionals, pipelines, microNames());
    const runs = atLeastOne('--runs', values.runs) ?? defaultSettings.runs;
    const records = atLeastOne('--records', values.records) ?? defaultSettings.records;
    return { ...chosen, settings: { ...defaultSettings, runs, records }, json: values.json };
  } catch (error) {
    console.error((error as Error).message);
    process.exitCode = 2;
    return undefined;
  }
}

function chosenNames(names: readonly string[], pipelines: readonly string[], micro: readonly string[]) {
  const groups: Readonly<Record<string, readonly string[]>> = { pipeline: pipelines, micro };
  const wanted = (names.length === 0 ? ['pipeline', 'micro'] : names).flatMap((name) => groups[name] ?? [name]);
  const unknown = wanted.filter((name) => !pipelines.includes(name) && !micro.includes(name));
  if (unknown.length > 0) {
    const known = [...Object.keys(groups), ...pipelines, ...micro].join(', ');
    throw new Error(`unknown: ${unknown.join(', ')}; there are: ${known}`);
  }
  return {
    workloads: pipelines.filter((name) => wanted.includes(name)),
    micro: micro.filter((name) => wanted.includes(name)),
  };
}

function atLeastOne(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag}: a whole number from 1 on, not ${text}`);
  return value;
}
