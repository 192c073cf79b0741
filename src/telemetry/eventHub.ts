import { channel } from 'node:diagnostics_channel';
import type { PipelineEvents } from './events.ts';

type Listener<K extends keyof PipelineEvents> = (event: PipelineEvents[K]) => void;

/** The listening side, which applications see. */
export interface PipelineEventSource {
  on<K extends keyof PipelineEvents>(name: K, listener: Listener<K>): () => void;
  off<K extends keyof PipelineEvents>(name: K, listener: Listener<K>): void;
}

/**
 * Typed events. The same facts go to the diagnostics channel `tidemark:<event>` as `{pipeline, ...event}`.
 * A throwing listener hurts nobody: the rest are called and the failure becomes `listenerFailed`.
 */
export class EventHub implements PipelineEventSource {
  readonly #pipeline: string;
  readonly #listeners = new Map<keyof PipelineEvents, Set<Listener<never>>>();

  constructor(pipeline: string) {
    this.#pipeline = pipeline;
  }

  /** Returns the function that unsubscribes. */
  on<K extends keyof PipelineEvents>(name: K, listener: Listener<K>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    listeners.add(listener as Listener<never>);
    this.#listeners.set(name, listeners);
    return () => this.off(name, listener);
  }

  off<K extends keyof PipelineEvents>(name: K, listener: Listener<K>): void {
    this.#listeners.get(name)?.delete(listener as Listener<never>);
  }

  emit<K extends keyof PipelineEvents>(name: K, event: PipelineEvents[K]): void {
    const published = channel(`tidemark:${name}`);
    if (published.hasSubscribers) published.publish({ pipeline: this.#pipeline, ...event });
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as Listener<K>)(event);
      } catch (error) {
        // A failing listener of listenerFailed itself would go round in circles.
        if (name !== 'listenerFailed') this.emit('listenerFailed', { event: name, error });
      }
    }
  }
}
