import { brokerErrorCodes } from './brokerErrors.ts';
import type { ApiVersion, BrokerAnswer, BrokerRequest } from './brokerRequest.ts';
import { describeGroupsApi } from './describeGroups.ts';
import { fetchApi } from './fetch.ts';
import { heartbeatApi, joinGroupApi, leaveGroupApi, syncGroupApi } from './groupMembership.ts';
import { findCoordinatorApi, offsetCommitApi, offsetFetchApi } from './groupOffsets.ts';
import { listOffsetsApi } from './listOffsets.ts';
import { metadataApi } from './metadata.ts';
import { offsetForLeaderEpochApi } from './offsetForLeaderEpoch.ts';
import type { WireReader } from './wireReader.ts';
import { WireWriter } from './wireWriter.ts';

/** Every API tidemark speaks, in the one version it speaks. Fetch v16 came with Kafka 3.7, the oldest it accepts. */
export const requiredApis: readonly ApiVersion[] = [
  fetchApi,
  metadataApi,
  listOffsetsApi,
  offsetForLeaderEpochApi,
  findCoordinatorApi,
  offsetFetchApi,
  offsetCommitApi,
  joinGroupApi,
  syncGroupApi,
  heartbeatApi,
  leaveGroupApi,
  describeGroupsApi,
];

export interface ApiRange {
  readonly apiKey: number;
  readonly minVersion: number;
  readonly maxVersion: number;
}

export interface ApiVersionsAnswer extends BrokerAnswer {
  readonly errorCode: number;
  readonly apis: readonly ApiRange[];
}

/**
 * ApiVersions v3, the first request on a connection. A broker that does not know version 3 answers in version 0 with
 * UNSUPPORTED_VERSION (KIP-511), which is why the answer's header never carries tagged fields.
 */
export function apiVersionsRequest(): BrokerRequest<ApiVersionsAnswer> {
  return {
    apiKey: 18,
    apiName: 'ApiVersions',
    apiVersion: 3,
    encode: () => new WireWriter().noTags().string('tidemark-kafkajs').string('2.2.4').noTags().bytes(),
    decode: decodeApiVersions,
  };
}

function decodeApiVersions(reader: WireReader): ApiVersionsAnswer {
  const errorCode = reader.int16();
  if (errorCode === brokerErrorCodes.UNSUPPORTED_VERSION) {
    return { errorCode, apis: reader.plainArray(apiRange), throttleMs: 0 };
  }
  const apis = reader.array((element) => {
    const range = apiRange(element);
    element.taggedFields();
    return range;
  });
  return { errorCode, apis, throttleMs: reader.int32() };
}

function apiRange(reader: WireReader): ApiRange {
  return { apiKey: reader.int16(), minVersion: reader.int16(), maxVersion: reader.int16() };
}

/** Those of the APIs that a broker does not speak in our version, in words. */
export function missingApis(apis: readonly ApiRange[], wanted = requiredApis): string[] {
  return wanted.flatMap(({ apiKey, apiName, apiVersion }) => {
    const range = apis.find((api) => api.apiKey === apiKey);
    if (range === undefined) return [`no ${apiName} (version ${apiVersion} is needed)`];
    if (apiVersion >= range.minVersion && apiVersion <= range.maxVersion) return [];
    return [`${apiName} ${range.minVersion} to ${range.maxVersion} (version ${apiVersion} is needed)`];
  });
}

// The newest Fetch version each release brought. A broker does not say its release, this is what gives it away.
const releasesByFetchVersion: readonly (readonly [fetchVersion: number, release: string])[] = [
  [18, '4.1 or newer'],
  [17, '3.9 to 4.0'],
  [16, '3.7 to 3.8'],
  [15, '3.5 to 3.6'],
  [13, '3.1 to 3.4'],
  [12, '2.7 to 3.0'],
  [11, '2.3 to 2.6'],
  [0, 'older than 2.3'],
];

/** The Kafka release a broker seems to be of. */
export function releaseOf(apis: readonly ApiRange[]): string {
  const newest = apis.find((api) => api.apiKey === fetchApi.apiKey)?.maxVersion ?? 0;
  return releasesByFetchVersion.find(([version]) => newest >= version)?.[1] ?? 'unknown';
}
