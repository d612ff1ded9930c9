import type { Feature } from '../feature.ts';
import { CONVERSATION } from './conversation.ts';
import { ENDINGS } from './endings.ts';
import { MEDIA } from './media.ts';
import { OUTPUT } from './output.ts';
import { SAMPLING } from './sampling.ts';
import { THINKING } from './thinking.ts';
import { TOOLS } from './tools.ts';
import { WORDS } from './words.ts';

/** By what they are about. */
export const GROUPS: Readonly<Record<string, readonly Feature[]>> = {
  'Who says what': CONVERSATION,
  Sampling: SAMPLING,
  Tools: TOOLS,
  'Images, files and sound': MEDIA,
  'The form of the answer': OUTPUT,
  Thinking: THINKING,
  'Words of one vendor, and of nobody': WORDS,
  'How it ends': ENDINGS,
};

export const FEATURES: readonly Feature[] = Object.values(GROUPS).flat();
