import type { KafkaDriver } from '../kafka/index.ts';
import type { PartitionBounds } from '../model/index.ts';
import type { OffsetStore } from '../offsets/index.ts';
import { insertFirstPositions } from './firstPositions.ts';
import type { PipelineSpec } from './optionsSpec.ts';
import { type SelectedPartition, selectPartitions } from './selection.ts';
import { topicSelectors } from './spec/sourceSpec.ts';

/** The partitions of Kafka that the options select. */
export class KafkaPartitions {
  readonly #spec: Pick<PipelineSpec, 'source' | 'pipeline'>;
  readonly #driver: KafkaDriver;

  constructor(spec: Pick<PipelineSpec, 'source' | 'pipeline'>, driver: KafkaDriver) {
    this.#spec = spec;
    this.#driver = driver;
  }

  select(): Promise<readonly SelectedPartition[]> {
    return selectPartitions(this.#spec.source, this.#driver);
  }

  insertFirstPositions(selected: readonly SelectedPartition[], store: OffsetStore): Promise<void> {
    return insertFirstPositions(selected, this.#spec, this.#driver, store);
  }

  async bounds(selected: readonly SelectedPartition[]): Promise<readonly PartitionBounds[]> {
    return selected.length === 0 ? [] : this.#driver.bounds(selected);
  }
}

/** Whether the options select partitions of Kafka at all: receivers may bring everything. */
export function selectsTopics(source: PipelineSpec['source']): boolean {
  return topicSelectors.some((name) => source[name] !== undefined);
}
