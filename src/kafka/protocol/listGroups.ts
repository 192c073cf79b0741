import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import { WireWriter } from './wireWriter.ts';

/** A group of any kind that a broker coordinates. */
export interface ListedGroup {
  readonly groupId: string;
  /** `consumer`, `connect`, …; empty where offsets were committed and nobody has ever joined. */
  readonly protocolType: string;
  readonly state: string;
  /** `classic` or `consumer`. */
  readonly type: string;
}

export interface ListGroupsAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly groups: readonly ListedGroup[];
}

/**
 * The groups that one broker coordinates, in every state; those of share groups and streams are left out by the broker.
 * Version 5 came with Kafka 3.8. Before it groups had no type: all are `classic`.
 */
export function listGroupsRequest(apiVersion: 4 | 5 = 5): BrokerRequest<ListGroupsAnswer> {
  return {
    apiKey: 16,
    apiName: 'ListGroups',
    apiVersion,
    encode: () => {
      const writer = new WireWriter().noTags().array([], () => {}); // every state
      if (apiVersion === 5) writer.array(['classic', 'consumer'], (type) => writer.string(type));
      return writer.noTags().bytes();
    },
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      const groups = reader.array((element) => {
        const group = {
          groupId: element.string(),
          protocolType: element.string(),
          state: element.string(),
          type: apiVersion === 5 ? element.string() : 'classic',
        };
        element.taggedFields();
        return group;
      });
      return { throttleMs, errorCode, groups };
    },
  };
}
