import { type Cut, type Fault, MARKS, type Outcome, type Vendor } from './cut.ts';
import { type FormatName, type Heard, hear } from './heard.ts';

// What a caller may get of a stream that was cut: all of the right answer, or exactly one error. This knows what was said,
// where it was cut and what the route is to do about it, and nothing of how that is done.

/** What a caller has heard, and what is wrong with it: empty where nothing is. */
export const judged = (
  cut: Cut,
  { status, bytes, traffic, tookMs }: Outcome,
): { heard: Heard; wrong: readonly string[] } => {
  const { story, format, recovery, fault, at } = cut;
  const heard = hear(format, bytes);
  const wrong = [...heard.wrong];
  const check = (isTrue: boolean, what: string): void => {
    if (!isTrue) wrong.push(what);
  };
  const isWhole = heard.closedBy === 'end';

  // Nothing of a frame that was cut goes out, but where more bytes have made it a frame, in which clients see nothing.
  check(heard.strange.length === 0 || SENDS_MORE.includes(fault), `lines of no use: ${heard.strange}`);
  // The second target is well, so that there is always something to say.
  check(status === 200, `status ${status}: ${new TextDecoder().decode(bytes)}`);
  check(heard.ends + heard.errors === 1, `${heard.ends} ends and ${heard.errors} errors`);
  check(heard.closedBy !== 'neither', 'it just stops');
  if (isWhole) {
    // What was said before a call is not said again by a model that makes it.
    check(
      textsOf(cut).some((text) =>
        heard.seams.length > 0 && story.calls.length > 0 ? text.startsWith(heard.text) : text === heard.text,
      ),
      `another text: ${JSON.stringify(heard.text)}`,
    );
    check(
      JSON.stringify(callsIn(heard)) === JSON.stringify(story.calls),
      `other calls: ${JSON.stringify(heard.calls)}`,
    );
    check(heard.finish === (story.calls.length > 0 ? 'tool_calls' : 'stop'), `ended by ${heard.finish}`);
    check((heard.outputTokens ?? 0) > 0 || mayLoseUsage(cut, traffic.recording), 'no usage');
  } else {
    check(
      textsOf(cut).some((text) => text.startsWith(heard.text)),
      `no part of the text: ${JSON.stringify(heard.text)}`,
    );
    check(isShown(heard), 'an error, though nothing had been shown');
  }
  if (recovery !== 'continue' || heard.seams.length === 0) {
    check(story.thought.startsWith(heard.thought), `another thought: ${JSON.stringify(heard.thought)}`);
  }

  // Two targets.
  const spoke = (['one', 'two'] as const).filter((side) => heard.firstPart.includes(MARKS[side]));
  check(spoke.length <= 1, 'two targets before any seam');
  check(heard.seams.length <= 1, `${heard.seams.length} seams`);
  if (recovery === 'error' || recovery === 'buffer') check(heard.seams.length === 0, `a seam: ${heard.seams}`);
  check(traffic.asked.one === 1 && traffic.asked.two <= 1, `asked ${JSON.stringify(traffic.asked)}`);

  // What has to be whole.
  const mayEnd = recovery === 'error' || (recovery === 'continue' && cannotFollow(cut));
  if (!mayEnd) check(isWhole, 'an error that the other target could have mended');
  const finishedAt = traffic.recording?.finishedAt ?? 0;
  if (at >= finishedAt && !isForgotten(cut)) {
    check(isWhole && traffic.asked.two === 0, 'all had been said');
  }
  // Nothing here takes time but silence.
  if (fault !== 'stall') check(tookMs === 0, `${tookMs} ms`);
  return { heard, wrong };
};

const SENDS_MORE: readonly Fault[] = ['garbage', 'page', 'error'];

/** What can be the text of an answer: Cohere's models say what they are about to call. */
const textsOf = ({ story }: Cut): readonly string[] =>
  story.calls.length > 0 ? ['', `I will call ${story.calls.map(({ name }) => name).join()}.`] : [story.text];

const callsIn = ({ calls }: Heard): unknown =>
  calls.map(({ name, args }) => {
    try {
      return { name, args: JSON.parse(args) };
    } catch {
      return { name, args };
    }
  });

const isShown = ({ text, thought, calls }: Heard): boolean => text !== '' || thought !== '' || calls.length > 0;

/** Of whose answer the caller can have what another model cannot go on from. */
const cannotFollow = ({ story, one, format }: Cut): boolean =>
  story.calls.length > 0 || (story.thought !== '' && OWN[format].includes(one));

/** Whose frames are handed on to a caller of a format. */
const OWN: Readonly<Record<FormatName, readonly Vendor[]>> = {
  chat: ['openai'],
  messages: ['anthropic'],
  responses: ['openai-responses'],
  glide: [],
};

/**
 * Chat Completions tell the usage behind the reason, in a frame that may be the one that is lost. The blank line behind the
 * reason may be missing, where the stream ends with it.
 */
const mayLoseUsage = ({ one, at }: Cut, recording: Outcome['traffic']['recording']): boolean =>
  one === 'openai' && recording !== undefined && at >= recording.finishedAt - 2 && at < recording.bytes.length;

/**
 * Gemini's streams have no last event: while the connection is open, more may come. And Google's older SDK, when the
 * connection breaks, forgets what it had read and not yet handed on.
 */
const isForgotten = ({ one, fault }: Cut): boolean =>
  one === 'google' ? fault !== 'end' : one === 'google-genai' && fault === 'stall';
