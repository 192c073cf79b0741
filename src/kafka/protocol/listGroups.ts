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

/** The groups that one broker coordinates, in every state; those of share groups and streams are left out by the broker. */
export function listGroupsRequest(): BrokerRequest<ListGroupsAnswer> {
  return {
    apiKey: 16,
    apiName: 'ListGroups',
    apiVersion: 5,
    encode: () =>
      new WireWriter()
        .noTags()
        .array([], () => {}) // every state
        .array(['classic', 'consumer'], (type, writer) => writer.string(type))
        .noTags()
        .bytes(),
    decode: (reader) => {
      reader.taggedFields();
      const throttleMs = reader.int32();
      const errorCode = reader.int16();
      const groups = reader.array((element) => {
        const group = {
          groupId: element.string(),
          protocolType: element.string(),
          state: element.string(),
          type: element.string(),
        };
        element.taggedFields();
        return group;
      });
      return { throttleMs, errorCode, groups };
    },
  };
}
