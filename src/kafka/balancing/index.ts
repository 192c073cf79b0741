/** What a membership is made of without a client library: how partitions are spread, and how a listener is called. */
export { ListenerCalls } from './listenerCalls.ts';
export { type StickyMember, stickyAssignment } from './stickyAssignment.ts';
