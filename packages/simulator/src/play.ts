import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { Script } from './script.ts';

/**
 * Sends a response as its script says. Times count from `startMs`, an instant of `performance.now()`.
 *
 * Resolves with true once the last byte is handed to the socket, or the connection is reset, and at once for a script
 * that hangs; with false when the client leaves before that, which `gone` tells.
 */
export const play = async (
  { head, writes, ending }: Script,
  response: ServerResponse,
  startMs: number,
  gone: AbortSignal,
): Promise<boolean> => {
  // Timers are no finer than a millisecond, so a fast stream sends what is due and then waits, instead of waiting
  // before each event and falling behind.
  const until = async (atMs: number): Promise<boolean> => {
    const leftMs = startMs + atMs - performance.now();
    if (leftMs > 0) await wait(leftMs, undefined, { signal: gone }).catch(() => {});
    return !gone.aborted;
  };
  if (head !== undefined) {
    if (!(await until(head.atMs))) return false;
    response.writeHead(head.status, head.headers);
    if (writes[0] === undefined || writes[0].atMs > head.atMs) response.flushHeaders();
  }
  for (const { atMs, text } of writes) {
    if (!(await until(atMs)) || !(await write(response, text))) return false;
  }
  if (ending === 'end') response.end();
  if (ending === 'reset') response.socket?.resetAndDestroy();
  return true;
};

/** Waits until the kernel has taken the bytes: who does not read is not written to, and nothing is lost by a reset. */
const write = (response: ServerResponse, text: string): Promise<boolean> =>
  new Promise((resolve) => {
    response.write(text, (error) => resolve(!error));
  });
