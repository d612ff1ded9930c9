import { expect } from 'vitest';
import { as, type Expected, endOf, everywhere, type Feature, failed } from '../feature.ts';

const ALL = { chat: {}, messages: {}, responses: {}, glide: {} };

const config = (generationConfig: object) => as({ generationConfig });

/** The same for the vendor whose format is the caller's. */
const alsoOwn = (expected: Expected): NonNullable<Feature['except']> => ({
  'chat openai': expected,
  'messages anthropic': expected,
  'responses responses': expected,
});

/** Long enough for a vendor's cache, and the same each time. */
const LONG = 'A sentence that is said again and again. '.repeat(200);

export const ENDINGS: readonly Feature[] = [
  {
    name: 'an answer that is cut at its limit',
    says: {
      chat: { max_completion_tokens: 16 },
      messages: { max_tokens: 16 },
      responses: { max_output_tokens: 16 },
      glide: { max_tokens: 16 },
    },
    at: {
      openai: as({ max_completion_tokens: 16 }),
      responses: as({ max_output_tokens: 16 }),
      anthropic: as({ max_tokens: 16 }),
      cohere: as({ max_tokens: 16 }),
      gemini: config({ maxOutputTokens: 16 }),
    },
    answer({ answer }, cell) {
      expect(answer?.finish).toBe(endOf('length', cell));
      expect(answer?.usage.output).toBe(16);
    },
  },
  {
    name: 'an answer that the vendor filtered',
    says: ALL,
    fault: { kind: 'content-filter' },
    at: {
      ...everywhere(as({})),
      cohere: failed(422, 'Cohere has no reason for it: it declines with an error.', 'usage policy'),
    },
    answer({ answer, status }, cell) {
      if (status === 200) expect(answer?.finish).toBe(endOf('filtered', cell));
    },
  },
  {
    name: 'tokens that came from a cache',
    warm: true,
    says: {
      chat: { messages: [{ role: 'user', content: LONG }] },
      messages: { messages: [{ role: 'user', content: LONG }] },
      responses: { input: LONG },
      glide: { message: { role: 'user', content: LONG } },
    },
    at: everywhere(as({})),
    answer({ answer }, { format }) {
      if (format !== 'glide') expect(answer?.usage.cached).toBeGreaterThan(1_000);
      expect(answer?.usage.input).toBeGreaterThan(1_000);
    },
  },
  {
    name: 'the vendor refuses the request (400)',
    says: ALL,
    fault: { kind: 'status', status: 400 },
    at: everywhere(failed(400, 'It is the caller’s to mend: the vendor’s words, in the caller’s format.')),
    except: alsoOwn(failed(400, 'It is the caller’s to mend: the vendor’s words, in the caller’s format.')),
    answer({ complaint }, { format }) {
      const body = JSON.parse(complaint?.body ?? '') as Record<string, unknown>;
      expect(body).toMatchObject(
        format === 'glide'
          ? { name: 'request_refused', message: expect.any(String) }
          : format === 'messages'
            ? { type: 'error', error: { type: 'invalid_request_error', message: expect.any(String) } }
            : { error: { message: expect.any(String), type: expect.any(String) } },
      );
    },
  },
  {
    name: 'the vendor refuses the key (401)',
    says: ALL,
    fault: { kind: 'status', status: 401 },
    at: everywhere(
      failed(503, 'The key is not the caller’s, and neither is the vendor’s word about it.', 'unauthorized'),
    ),
    except: alsoOwn(
      failed(503, 'The key is not the caller’s, and neither is the vendor’s word about it.', 'unauthorized'),
    ),
    answer({ complaint }) {
      expect(complaint?.body).not.toMatch(
        /Incorrect API key|invalid bearer|invalid api token|authentication credentials/i,
      );
    },
  },
  {
    name: 'the vendor is over its limit (429)',
    says: ALL,
    fault: { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 20_000 } },
    at: everywhere(failed(503, 'No target can answer now; `retry-after` says when the first one can.', 'rate-limited')),
    except: alsoOwn(
      failed(503, 'No target can answer now; `retry-after` says when the first one can.', 'rate-limited'),
    ),
    answer({ headers }) {
      const seconds = Number(headers.get('retry-after'));
      expect(seconds).toBeGreaterThanOrEqual(19);
      expect(seconds).toBeLessThanOrEqual(30);
    },
  },
];
