/** What a membership is made of without a client library: how partitions are spread, how a listener is called, what its failures are. */
export { membershipLost, protocolConflict } from './failures.ts';
export { FirstAssignment } from './firstAssignment.ts';
export { ListenerCalls } from './listenerCalls.ts';
export { MemberCommits } from './memberCommits.ts';
export { type StickyMember, stickyAssignment } from './stickyAssignment.ts';
export { topicPattern } from './topicPattern.ts';
export { without } from './without.ts';
