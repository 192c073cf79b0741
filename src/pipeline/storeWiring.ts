import { TidemarkError } from '../errors.ts';
import type { CommittedOffset, KafkaDriver } from '../kafka/index.ts';
import type { OffsetStore } from '../offsets/index.ts';
import type { Clock, ProcessIdentity } from '../platform/index.ts';
import type { EventHub } from '../telemetry/index.ts';
import type { GroupAssignment } from './groupAssignment.ts';
import type { PipelineSpec } from './optionsSpec.ts';

export interface StoreSurroundings {
  readonly identity: ProcessIdentity;
  readonly clock: Clock;
  readonly events: EventHub;
  /** The one of the pipeline, connected. */
  readonly driver: () => Promise<KafkaDriver>;
  /** Who commits into the group of the assignment, once there is one: a group with members takes offsets from them only. */
  readonly groupAssignment: () => GroupAssignment | undefined;
  /** See `StartOptions`. */
  readonly firstStart: boolean;
}

/** The store of the options, not opened; undefined: the sink's own. Reached by dynamic import, as the sinks are. */
export async function createStore(spec: PipelineSpec, on: StoreSurroundings): Promise<OffsetStore | undefined> {
  const { store: options, pipeline } = spec;
  const { clock, identity, events } = on;
  const common = { pipeline, clock, instanceId: identity.instanceId };
  switch (options?.type) {
    case undefined:
      return undefined;
    case 'postgres': {
      const { PostgresStore } = await import('../offsets/stores/postgres/index.ts');
      return new PostgresStore({ ...common, connectionString: options.connectionString, schema: options.schema });
    }
    case 'redis': {
      const { RedisStore } = await import('../offsets/stores/redis/index.ts');
      const onWarning = (warning: string) => events.emit('storeWarned', { warning });
      return new RedisStore({ ...common, url: options.url, onWarning });
    }
    case 'kafka': {
      const { KafkaGroupStore } = await import('../offsets/stores/kafkaGroup/index.ts');
      const { groupId = pipeline } = options;
      return new KafkaGroupStore({
        driver: await on.driver(),
        groupId,
        pipeline,
        firstStart: options.firstStart || on.firstStart,
        clock,
        ...(isOwnGroup(spec, groupId) ? { commitAsMember: (offsets) => commitAsMember(on, offsets) } : {}),
      });
    }
    case 'file': {
      const { FileStore } = await import('../offsets/stores/file/index.ts');
      return new FileStore({ dir: options.dir, pipeline, clock });
    }
  }
}

/** The group that spreads the partitions is the one that keeps their offsets. */
function isOwnGroup({ source, pipeline }: PipelineSpec, groupId: string): boolean {
  return source.assignment === 'group' && (source.groupId ?? pipeline) === groupId;
}

async function commitAsMember(on: StoreSurroundings, offsets: readonly CommittedOffset[]): Promise<void> {
  const group = on.groupAssignment();
  if (group === undefined)
    throw new TidemarkError('INVARIANT_BROKEN', 'Offsets are committed before the group is joined');
  await group.commitOffsets(offsets);
}
