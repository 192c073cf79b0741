import { Agent, request } from 'node:http';
import { setTimeout as pace } from 'node:timers/promises';
import { waitUntil } from '../services/index.ts';
import type { PostedRecord } from './receiverChecker.ts';

/** A client that posts records, one request after the other, whatever happens to the server, and notes the answers. */
export interface Sender {
  readonly posted: readonly PostedRecord[];
  readonly acknowledged: number;
  /** Resolves when so many more records were acknowledged. */
  waitForMore(records: number): Promise<void>;
  /** No request is on its way when it resolves. */
  stop(): Promise<void>;
}

const recordsPerPost = 3;
/** So that a few posts fill a segment. */
const filler = '.'.repeat(1_500);
/** From an answer to the next post, and from anything else. */
const paceMs = 5;
const patienceMs = 50;

let counter = 0;

export function startSender(port: number): Sender {
  const posted: PostedRecord[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const stopping = new AbortController();
  const acknowledged = () => posted.filter(({ answer }) => answer === 'acknowledged').length;
  const work = async () => {
    while (!stopping.signal.aborted) {
      const values = Array.from({ length: recordsPerPost }, () => {
        counter += 1;
        return JSON.stringify({ n: counter, filler });
      });
      const answer = await post(agent, port, values);
      for (const value of values) posted.push({ value, answer });
      await pace(answer === 'acknowledged' ? paceMs : patienceMs);
    }
    agent.destroy();
  };
  const working = work();
  return {
    posted,
    get acknowledged() {
      return acknowledged();
    },
    waitForMore: async (records) => {
      const enough = acknowledged() + records;
      await waitUntil('records to be acknowledged', () => acknowledged() >= enough, { limitMs: 120_000 });
    },
    stop: () => {
      stopping.abort();
      return working;
    },
  };
}

function post(agent: Agent, port: number, values: readonly string[]): Promise<PostedRecord['answer']> {
  const headers = { 'content-type': 'application/x-ndjson' };
  return new Promise((resolve) => {
    const sent = request({ agent, host: '127.0.0.1', port, method: 'POST', headers }, (response) => {
      // The status is the word; a body that breaks off takes nothing back.
      response.on('error', () => {});
      response.resume();
      resolve(answerOf(response.statusCode));
    });
    sent.on('error', ({ code }: NodeJS.ErrnoException) => resolve(code === 'ECONNREFUSED' ? 'refused' : 'unknown'));
    sent.end(values.join('\n'));
  });
}

/** 500 says that nobody knows; see docs/receivers.md. */
function answerOf(status: number | undefined): PostedRecord['answer'] {
  if (status === 200) return 'acknowledged';
  return status === 429 || status === 503 ? 'refused' : 'unknown';
}
