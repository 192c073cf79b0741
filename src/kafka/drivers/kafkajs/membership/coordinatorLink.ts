import { TidemarkError } from '../../../../errors.ts';
import { type BrokerRequest, findCoordinatorRequest, type GroupErrorAnswer } from '../../../protocol/index.ts';
import type { BrokerConnection } from '../brokerConnection.ts';
import type { Cluster } from '../cluster.ts';
import { groupFailure, judgeFailure } from './membershipFailures.ts';

/**
 * The way to a group's coordinator, on a connection of its own: a JoinGroup is answered when the whole group has joined,
 * and the broker works off one connection's requests one by one.
 */
export class CoordinatorLink {
  readonly #cluster: Cluster;
  readonly #groupId: string;
  #connection: BrokerConnection | undefined;
  #opening: Promise<BrokerConnection> | undefined;
  #closedBy: TidemarkError | undefined;

  constructor(cluster: Cluster, groupId: string) {
    this.#cluster = cluster;
    this.#groupId = groupId;
  }

  /** `action` completes "The broker refused to … group". Codes of `accepted` are answers like any other. */
  async ask<A extends GroupErrorAnswer>(
    request: BrokerRequest<A>,
    { action, timeoutMs, accepted = [] }: { action: string; timeoutMs: number; accepted?: readonly number[] },
  ): Promise<A> {
    const connection = await this.#connected();
    const answer = await connection.send(request, timeoutMs);
    if (answer.errorCode === 0 || accepted.includes(answer.errorCode)) return answer;
    const error = groupFailure(answer.errorCode, this.#groupId, action);
    if (judgeFailure(error) === 'elsewhere') this.drop(error);
    throw error;
  }

  /** The next request looks for the coordinator anew. */
  drop(reason: TidemarkError): void {
    this.#connection?.close(reason);
    this.#connection = undefined;
  }

  close(reason: TidemarkError): void {
    this.#closedBy ??= reason;
    this.drop(reason);
  }

  async #connected(): Promise<BrokerConnection> {
    if (this.#connection?.isOpen === true) return this.#connection;
    // An attempt that somebody has given up waiting for is taken over by the next one.
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<BrokerConnection> {
    if (this.#closedBy !== undefined) throw this.#closedBy;
    const found = await this.#cluster.askAny(findCoordinatorRequest(this.#groupId));
    if (found.errorCode !== 0) throw groupFailure(found.errorCode, this.#groupId, 'find the coordinator of');
    const connection = await this.#cluster.connections.open({ host: found.host, port: found.port });
    // We were closed while the connection was opening: nobody else would close it.
    if (this.#closedBy !== undefined) connection.close(this.#closedBy);
    this.#connection = connection;
    return connection;
  }
}

export function closedError(what: string): TidemarkError {
  return new TidemarkError('KAFKA_CLOSED', `Kafka: ${what}`);
}
