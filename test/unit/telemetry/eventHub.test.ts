import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it } from 'vitest';
import { EventHub } from '../../../src/telemetry/index.ts';

it('a throwing listener hurts neither the others nor the caller, and is reported', () => {
  const hub = new EventHub('orders');
  const seen: unknown[] = [];
  hub.on('recovered', () => {
    throw new Error('listener');
  });
  hub.on('recovered', (event) => seen.push(event));
  hub.on('listenerFailed', ({ event }) => seen.push(event));
  hub.emit('recovered', { what: 'sink' });
  expect(seen).toEqual(['recovered', { what: 'sink' }]);
});

it('a throwing listener of listenerFailed does not go round in circles', () => {
  const hub = new EventHub('orders');
  hub.on('listenerFailed', () => {
    throw new Error('again');
  });
  hub.on('recovered', () => {
    throw new Error('listener');
  });
  expect(() => hub.emit('recovered', { what: 'sink' })).not.toThrow();
});

it('an unsubscribed listener hears nothing more', () => {
  const hub = new EventHub('orders');
  const seen: unknown[] = [];
  const stop = hub.on('recovered', (event) => seen.push(event));
  stop();
  hub.emit('recovered', { what: 'sink' });
  expect(seen).toEqual([]);
});

it('the same facts go to the diagnostics channel, with the name of the pipeline', () => {
  const messages: unknown[] = [];
  const listener = (message: unknown) => messages.push(message);
  subscribe('tidemark:recovered', listener);
  new EventHub('orders').emit('recovered', { what: 'kafka' });
  unsubscribe('tidemark:recovered', listener);
  expect(messages).toEqual([{ pipeline: 'orders', what: 'kafka' }]);
});
