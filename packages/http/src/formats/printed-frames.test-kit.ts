import type { ChatEvent } from '@switchyard/core';
import type { StreamPrinter } from '../print.ts';

/** The frames of a stream, one by one. */
export async function* printedFrames(
  events: AsyncIterable<ChatEvent>,
  printer: StreamPrinter,
): AsyncGenerator<Uint8Array, void> {
  try {
    for await (const event of events) yield* printer.print(event);
    yield* printer.end();
  } catch (error) {
    if (printer.broken === undefined) throw error;
    yield* printer.broken(error);
  }
}
