import { TidemarkError } from '../../errors.ts';
import { partitionName, type TopicPartition } from '../../model/index.ts';
import { brokerErrorCodes, brokerErrorKind } from '../protocol/index.ts';

/** What a request was about, for its error. `action` completes "The broker refused to …". */
export interface RequestSubject {
  readonly action: string;
  readonly topic?: string;
  readonly partition?: number;
  readonly groupId?: string;
}

/** A broker's error code as an error with the subject's facts. */
export function brokerFailure(code: number, subject: RequestSubject): TidemarkError {
  const { name, retriable } = brokerErrorKind(code);
  const facts = { foreignCode: name, ...factsOf(subject) };
  switch (code) {
    case brokerErrorCodes.TOPIC_AUTHORIZATION_FAILED:
      return unauthorized(subject, `topic ${subject.topic ?? ''}`, 'READ and DESCRIBE', facts);
    case brokerErrorCodes.GROUP_AUTHORIZATION_FAILED:
      return unauthorized(subject, `group ${subject.groupId ?? ''}`, 'READ', facts);
    case brokerErrorCodes.CLUSTER_AUTHORIZATION_FAILED:
      return unauthorized(subject, 'the cluster', 'what the request needs', facts);
    case brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION:
    case brokerErrorCodes.UNKNOWN_TOPIC_ID:
    case brokerErrorCodes.INVALID_TOPIC_EXCEPTION:
      return missing(subject, facts);
    default:
      return new TidemarkError('KAFKA_REQUEST_FAILED', `The broker refused to ${subject.action}: ${name}`, {
        ...facts,
        retriable,
      });
  }
}

/** What a group that has members answers to somebody who is none of them. `action` completes "it refused to …". */
export function groupActive(code: number, groupId: string, action: string, of?: TopicPartition): TidemarkError {
  const { name } = brokerErrorKind(code);
  return new TidemarkError('GROUP_ACTIVE', `Group ${groupId} has members: it refused to ${action} (${name})`, {
    foreignCode: name,
    ...(of === undefined ? {} : { topic: of.topic, partition: of.partition }),
    hint: `Stop every consumer of group ${groupId}, or wait for their sessions to end, and try again.`,
  });
}

/** All topics of a list that do not exist, in one error. */
export function topicsMissing(topics: readonly string[]): TidemarkError {
  const names = topics.join(', ');
  const text = topics.length === 1 ? `Topic ${names} does not exist` : `Topics ${names} do not exist`;
  const [topic] = topics;
  return new TidemarkError('KAFKA_TOPIC_MISSING', text, {
    ...(topics.length === 1 && topic !== undefined ? { topic } : {}),
    hint: 'Create it, or correct the name. Tidemark never creates topics.',
    foreignCode: brokerErrorKind(brokerErrorCodes.UNKNOWN_TOPIC_OR_PARTITION).name,
  });
}

/** A topic of that name exists, but it is another one. */
export function topicRecreated(of: TopicPartition, expectedId: string, foundId: string): TidemarkError {
  return new TidemarkError(
    'KAFKA_TOPIC_RECREATED',
    `Topic ${of.topic} was deleted and made again: its id is ${foundId}, the id on record for ${partitionName(of)} is ${expectedId}`,
    {
      topic: of.topic,
      partition: of.partition,
      hint: 'The offsets on record belong to the deleted topic: reset the pipeline to adopt the new one.',
    },
  );
}

function missing(subject: RequestSubject, facts: object): TidemarkError {
  if (subject.topic === undefined || subject.partition === undefined) return topicsMissing([subject.topic ?? '']);
  const where = partitionName({ topic: subject.topic, partition: subject.partition });
  return new TidemarkError('KAFKA_TOPIC_MISSING', `Partition ${where} does not exist`, {
    ...facts,
    hint: 'Check the name of the topic and its number of partitions.',
  });
}

function unauthorized(subject: RequestSubject, resource: string, right: string, facts: object): TidemarkError {
  return new TidemarkError(
    'KAFKA_AUTHORIZATION_FAILED',
    `The broker refused to ${subject.action}: no right to ${resource}`,
    {
      ...facts,
      hint: `Grant the user of kafka.sasl ${right} on ${resource}.`,
    },
  );
}

function factsOf({ topic, partition }: RequestSubject): { topic?: string; partition?: number } {
  return { ...(topic === undefined ? {} : { topic }), ...(partition === undefined ? {} : { partition }) };
}
