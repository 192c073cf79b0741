export { EventHub, type PipelineEventSource } from './eventHub.ts';
export { type DiscardCause, type PipelineEvents, type PipelineState, pipelineStates } from './events.ts';
