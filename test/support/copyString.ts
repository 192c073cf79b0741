import type { Client, Submittable } from 'pg';

/** Sends one query string that holds one COPY FROM STDIN, with the rows right behind it, as the sink does. */
export function sendWithCopy(client: Client, text: string, rows: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let failure: Error | undefined;
    const settle = () => (failure === undefined ? resolve() : reject(failure));
    const query = {
      submit: (connection: CopyConnection) => {
        connection.query(text);
        return null;
      },
      handleCopyInResponse: (connection: CopyConnection) => {
        connection.sendCopyFromChunk(Buffer.from(rows));
        connection.endCopyFrom();
      },
      handleError: (error: Error) => {
        failure = error;
        settle();
      },
      handleReadyForQuery: settle,
      handleCommandComplete: () => {},
      handleRowDescription: () => {},
      handleDataRow: () => {},
    };
    client.query(query as unknown as Submittable);
  });
}

interface CopyConnection {
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}
