import type { Command } from 'commander';

/** What every command of `offsets` can be told about where positions live. */
export interface RawPlace {
  readonly store?: string;
  readonly schema?: string;
  readonly pipeline?: string;
  readonly group?: string;
  readonly brokers?: string;
  readonly topic?: readonly string[];
}

/** A pipeline's file, or a store and a name, or a consumer group: where the positions live that a command is about. */
export interface PlaceArguments {
  readonly file: string | undefined;
  readonly raw: RawPlace;
}

/** Adds argument and options of a command that works on one pipeline. */
export function addPlaceOptions(command: Command): Command {
  return command
    .argument('[FILE]', 'configuration file of the pipeline')
    .option('--store <URL>', 'in place of FILE: where the ledger is, postgres://, redis:// or file:///')
    .option('--schema <NAME>', 'schema of the ledger in PostgreSQL, with --store (default: tidemark)')
    .option('--pipeline <NAME>', 'name of the pipeline, with --store')
    .option('--group <NAME>', 'a consumer group: its committed offsets, with --brokers or FILE')
    .option('--brokers <LIST>', 'host:port,…: the brokers, in place of those of FILE')
    .option(
      '--topic <TOPIC>',
      'only this topic, or these partitions of it (orders:0-3,7); can be repeated',
      collect,
      [],
    );
}

export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}
