import { describe } from 'vitest';
import { testsEveryCut } from './every-cut.ts';

// Streams of OpenAI's two formats, cut behind each byte: whatever breaks them, and whatever the route is to do about it, a
// caller of any format has the whole answer, or exactly one error.

describe('openai', () => testsEveryCut('openai', ['text', 'calls']));
describe('openai-responses', () => testsEveryCut('openai-responses', ['text', 'thinking', 'calls']));
