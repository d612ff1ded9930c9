import { describe } from 'vitest';
import { testsEveryCut } from './every-cut.ts';

// Streams of all vendors but OpenAI, cut behind each byte, as in the file beside. Google's two SDKs read one format.

describe('anthropic', () => testsEveryCut('anthropic', ['text', 'thinking', 'calls']));
describe('cohere', () => testsEveryCut('cohere', ['text', 'thinking', 'calls']));
describe('google', () => testsEveryCut('google', ['text', 'calls']));
describe('google-genai', () => testsEveryCut('google-genai', ['thinking']));
