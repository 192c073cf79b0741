export { EventHub, type PipelineEventSource } from './eventHub.ts';
export { type PipelineEvents, type PipelineState, pipelineStates } from './events.ts';
