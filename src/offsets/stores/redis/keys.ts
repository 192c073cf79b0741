import type { TopicPartition } from '../../../model/index.ts';

/** A key and what it has to hold, where it is there. */
export interface StoreKey {
  readonly name: string;
  readonly type: 'hash' | 'set' | 'stream' | 'string';
}

const topicsKey = /^tidemark:\{([^{}]*)\}:topics$/;

/** Finds the keys by which pipelines are known; other keys may fit too. */
export const topicsPattern = 'tidemark:{*}:topics';

/**
 * The keys of one pipeline. What stands in braces is its name, and the same in all of them: a cluster keeps them in one slot, so that a
 * script can work on all of them. Topics come last, partitions behind the last colon: no two keys are ever the same.
 */
export class StoreKeys {
  readonly #prefix: string;

  constructor(pipeline: string) {
    this.#prefix = `tidemark:{${tagOf(pipeline)}}:`;
  }

  /** Version of the layout. */
  get version(): StoreKey {
    return this.#key('string', 'version');
  }

  /** Names of all topics that ever had a row; only grows. */
  get topics(): StoreKey {
    return this.#key('set', 'topics');
  }

  /** Instance id → who it is, and its last heartbeat. */
  get owners(): StoreKey {
    return this.#key('hash', 'owners');
  }

  /** Id → order. */
  get controls(): StoreKey {
    return this.#key('hash', 'controls');
  }

  /** Id of the newest order ever given. */
  get lastControl(): StoreKey {
    return this.#key('string', 'last-control');
  }

  /** Partition → row. */
  offsets(topic: string): StoreKey {
    return this.#key('hash', `offsets:${topic}`);
  }

  /** Partition → newest row of its history, also of partitions that have no row any more. */
  newest(topic: string): StoreKey {
    return this.#key('hash', `newest:${topic}`);
  }

  /** What came before the newest row of the history; the id of an entry is `<seq>-0`. */
  history({ topic, partition }: TopicPartition): StoreKey {
    return this.#key('stream', `history:${topic}:${partition}`);
  }

  #key(type: StoreKey['type'], rest: string): StoreKey {
    return { type, name: this.#prefix + rest };
  }
}

/** The pipeline of a key that `topicsPattern` found, undefined for a key that is not ours. */
export function pipelineOfTopicsKey(key: string): string | undefined {
  const tag = topicsKey.exec(key)?.[1];
  if (tag === undefined || tag === '') return undefined;
  return tag.replaceAll(/%(25|7B|7D)/g, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)));
}

/** A brace in the name would end the hash tag early. */
function tagOf(pipeline: string): string {
  return pipeline.replaceAll(/[%{}]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}
