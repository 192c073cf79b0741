import type { TidemarkError } from '../errors.ts';
import type { EventHub, PipelineEvents } from '../telemetry/index.ts';

type Service = PipelineEvents['degraded']['what'];

/** What is not as it should be right now, told once when it begins and once when it ends. */
export class Degradation {
  readonly #events: EventHub;
  readonly #now = new Map<Service, TidemarkError>();

  constructor(events: EventHub) {
    this.#events = events;
  }

  begin(what: Service, error: TidemarkError): void {
    const isNew = !this.#now.has(what);
    this.#now.set(what, error);
    if (isNew) this.#events.emit('degraded', { what, error });
  }

  end(what: Service): void {
    if (this.#now.delete(what)) this.#events.emit('recovered', { what });
  }

  list(): readonly { readonly what: Service; readonly error: TidemarkError }[] {
    return [...this.#now].map(([what, error]) => ({ what, error }));
  }
}
