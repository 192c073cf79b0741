import { messageOf, TidemarkError } from '../../../errors.ts';
import { type Clock, type DurableFiles, errnoOf, nodeFiles } from '../../../platform/index.ts';
import type { StorePlace } from '../../storePlace.ts';
import { pipelineOfFile } from './fileNames.ts';
import { FileStore } from './fileStore.ts';

/** A directory of file stores. */
export class FilePlace implements StorePlace {
  readonly name: string;
  readonly #dir: string;
  readonly #clock: Clock | undefined;
  readonly #files: DurableFiles;

  constructor(
    dir: string,
    { clock, files = nodeFiles }: { readonly clock?: Clock; readonly files?: DurableFiles } = {},
  ) {
    this.name = `files in ${dir}`;
    this.#dir = dir;
    this.#clock = clock;
    this.#files = files;
  }

  async pipelines(): Promise<readonly string[]> {
    const names = await this.#files.list(this.#dir).catch((error: unknown) => {
      if (errnoOf(error) === 'ENOENT') return [];
      throw new TidemarkError('STORE_REQUEST_FAILED', `${this.#dir}: ${messageOf(error)}`, {
        path: this.#dir,
        cause: error,
      });
    });
    return names.flatMap((name) => pipelineOfFile(name) ?? []).sort();
  }

  store(pipeline: string): FileStore {
    const clock = this.#clock === undefined ? {} : { clock: this.#clock };
    return new FileStore({ dir: this.#dir, pipeline, files: this.#files, ...clock });
  }
}
