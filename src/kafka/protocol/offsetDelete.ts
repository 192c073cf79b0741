import { byTopic, type TopicPartition } from '../../model/index.ts';
import type { BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import { WireWriter } from './wireWriter.ts';

export interface OffsetDeleteAnswer extends BrokerAnswer {
  /** Concerns the whole: nothing was deleted. */
  readonly errorCode: number;
  readonly results: readonly (TopicPartition & { readonly errorCode: number })[];
}

/** Deletes offsets that a group has committed. Its only version is encoded as before KIP-482, header and all. */
export function offsetDeleteRequest(
  groupId: string,
  partitions: readonly TopicPartition[],
): BrokerRequest<OffsetDeleteAnswer> {
  return {
    apiKey: 47,
    apiName: 'OffsetDelete',
    apiVersion: 0,
    encode: () =>
      new WireWriter()
        .plainString(groupId)
        .plainArray(byTopic(partitions), ([topic, members], writer) =>
          writer.plainString(topic).plainArray(members, ({ partition }, inner) => inner.int32(partition)),
        )
        .bytes(),
    decode: (reader) => {
      const errorCode = reader.int16();
      const throttleMs = reader.int32();
      const results = reader
        .plainArray((entry) => {
          const topic = entry.plainString();
          return entry.plainArray((element) => {
            return { topic, partition: element.int32(), errorCode: element.int16() };
          });
        })
        .flat();
      return { errorCode, throttleMs, results };
    },
  };
}
