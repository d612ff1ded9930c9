import type { ChatEvent } from '../decide/response.ts';
import { type EventStream, streamOf } from '../packets.ts';
import { brokenAnswer } from '../provider-kit.ts';
import { FramePackets, type FrameReader } from '../sse.ts';

/** The stream of a vendor whose frames we read ourselves. It is asked for when the first packet is. */
export const streamOfFrames = (vendor: string, ask: () => Promise<Response>, reader: FrameReader): EventStream =>
  streamOf(
    new FramePackets(async () => {
      const { body } = await ask();
      if (body === null) throw brokenAnswer(vendor, 'no body');
      return body;
    }, reader),
  );

/** The events of a frame that passes through. The bytes go with the first of them, and there may be none. */
export const withBytes = (events: readonly ChatEvent[], bytes: Uint8Array): readonly ChatEvent[] => {
  const [first = { type: 'other' }] = events;
  const carrier = Object.assign(first, { bytes });
  return events.length < 2 ? [carrier] : events;
};
