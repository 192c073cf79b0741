/** What a pipeline promises about every record; chosen once per pipeline and checked at start against sink and store. */
export const deliveryGuarantees = ['at-most-once', 'at-least-once', 'exactly-once'] as const;
export type DeliveryGuarantee = (typeof deliveryGuarantees)[number];

/** Where a partition begins that has no stored offset: log start, last stable offset, or an error. */
export const resetPolicies = ['earliest', 'latest', 'fail'] as const;
export type ResetPolicy = (typeof resetPolicies)[number];

/** What happens to a record that cannot be processed: park its partition, or pass it over and count it. */
export const recordPolicies = ['stop', 'skip'] as const;
export type RecordPolicy = (typeof recordPolicies)[number];
