import { type Fault, startSimulator } from '@switchyard/simulator';

// Vendors of long streams, in a process of their own: some are well, some cut every answer in its middle, some fall silent
// there. Asked for it, the process says how their calls ended.

/** What becomes of an answer. */
export type Course = 'well' | 'cut' | 'stalled';

/** What the process says once it is up: by what becomes of an answer, where OpenAI and Anthropic are. */
export type Places = Readonly<Record<Course, { readonly openai: string; readonly anthropic: string }>>;

/** Time for all requests to be there, then twenty seconds for 120 tokens. */
const MODEL = { firstTokenMs: 4_000, tokensPerSecond: 6 };
/** In the middle of an answer of 200 chunks. */
const AFTER_EVENTS = 90;

const FAULTS: Readonly<Record<Course, Fault | null>> = {
  well: null,
  cut: { kind: 'cut', afterEvents: AFTER_EVENTS },
  stalled: { kind: 'stall', afterEvents: AFTER_EVENTS },
};

const start = async (course: Course): Promise<Places[Course]> => {
  const { openai, anthropic } = (await startSimulator({ vendors: { openai: MODEL, anthropic: MODEL } })).vendors;
  const fault = FAULTS[course];
  if (fault !== null) for (const vendor of [openai, anthropic]) vendor.break(fault);
  return { openai: openai.url, anthropic: anthropic.url };
};

process.once('disconnect', () => process.exit());
const places: Places = { well: await start('well'), cut: await start('cut'), stalled: await start('stalled') };
process.send?.(places);
