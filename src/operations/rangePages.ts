import type { CommittedRange, OffsetStore, RangesQuery } from '../offsets/index.ts';

/** Rows of one page: a few megabytes. */
const pageRows = 10_000;

/**
 * The history in pages, each of whose partitions is of one moment. The last row of a full page is read again with the next one: it may
 * have been the newest of its partition, and a running process has let it grow since, so that what follows would not fit it.
 */
export async function* rangePages(
  store: OffsetStore,
  { topics, after }: { readonly topics?: readonly string[] | undefined; readonly after?: RangesQuery['after'] },
  limit = pageRows,
): AsyncGenerator<readonly CommittedRange[]> {
  const among = topics === undefined ? {} : { topics };
  for (let behind = after; ; ) {
    const page = await store.ranges({ ...among, after: behind, limit });
    if (page.length < limit) {
      if (page.length > 0) yield page;
      return;
    }
    yield page.slice(0, -1);
    behind = page.at(-2);
  }
}
