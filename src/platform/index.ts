export { backoffMs, type Clock, systemClock, turnEventLoop, unlessAborted, withDeadline } from './clock.ts';
export { crc32c } from './crc32c.ts';
export { type FailpointName, failpoint, failpointIsArmed, failpointNames } from './failpoints.ts';
export { readFileBytes } from './files.ts';
export { identifyProcess, newClaimToken, type ProcessIdentity, processLives } from './identity.ts';
export { nearestName } from './nearestName.ts';
export { createProgressBeacon, type Progress, type ProgressBeacon, readProgress } from './progressBeacon.ts';
export { StallMeter } from './stallMeter.ts';
