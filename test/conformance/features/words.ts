import { expect } from 'vitest';
import type { Said } from '../callers.ts';
import { as, everywhere, type Feature, kept, leftOut, refused, skipped } from '../feature.ts';
import { BILLING, NO_WORD, OF_GLIDE } from './why.ts';

/** What some clients say though no type of the SDK has it. */
const anyhow = <Format extends keyof Said>(said: object): NonNullable<Said[Format]> =>
  said as NonNullable<Said[Format]>;

const except = (expected: Feature['at'], others: Partial<Feature['at']>): Feature['at'] => ({ ...expected, ...others });

/** What only the caller's own vendor has, and the answer depends on. */
const ofOneVendor = (what: string, vendor: string): Feature['at'] =>
  everywhere(skipped(what, `${vendor} alone has it, and the answer would be another.`));

const NOT_MESSAGES = ['openai', 'responses', 'cohere', 'gemini'] as const;
const NOT_RESPONSES = ['openai', 'anthropic', 'cohere', 'gemini'] as const;

const TIERS = 'Which tiers there are, and which an account has, differs from vendor to vendor; the answer is the same.';

const PROBABILITIES =
  'A neutral answer has no place for them; Anthropic has none, and Cohere and Gemini tell them of other pieces of text, without the bytes.';

export const WORDS: readonly Feature[] = [
  {
    name: 'several answers (n = 2)',
    says: { chat: { n: 2 } },
    at: everywhere(
      skipped(
        'n',
        'A neutral answer is one answer. Gemini alone has a word for more, and the others would have to be asked twice.',
      ),
    ),
    answer({ answer, status }) {
      if (status === 200) expect(answer?.whole).toMatchObject({ choices: [{}, {}] });
    },
  },
  {
    name: 'n = 1',
    says: { chat: { n: 1 } },
    at: everywhere(as({}, '"n"')),
  },
  {
    name: 'log probabilities',
    says: {
      chat: { logprobs: true, top_logprobs: 2 },
      responses: { include: ['message.output_text.logprobs'], top_logprobs: 2 },
    },
    at: everywhere(skipped(['logprobs', 'top_logprobs'], PROBABILITIES)),
    except: {
      'responses openai': skipped(['top_logprobs', 'include of logprobs'], PROBABILITIES),
      'responses anthropic': skipped(['top_logprobs', 'include of logprobs'], PROBABILITIES),
      'responses cohere': skipped(['top_logprobs', 'include of logprobs'], PROBABILITIES),
      'responses gemini': skipped(['top_logprobs', 'include of logprobs'], PROBABILITIES),
    },
  },
  {
    name: 'logit bias',
    says: { chat: { logit_bias: { '50256': -100 } } },
    at: everywhere(skipped('logit_bias', 'It names tokens by their numbers, which are others in every model.')),
  },
  {
    name: 'service tier',
    says: {
      chat: { service_tier: 'flex' },
      messages: { service_tier: 'standard_only' },
      responses: { service_tier: 'flex' },
    },
    at: except(everywhere(leftOut('service_tier', TIERS, {}, 'tier', 'Tier')), {
      openai: as({ service_tier: 'flex' }),
      responses: as({ service_tier: 'flex' }),
    }),
    except: {
      'messages openai': leftOut('service_tier', TIERS, {}, 'tier'),
      'messages responses': leftOut('service_tier', TIERS, {}, 'tier'),
    },
  },
  {
    name: 'who asks',
    says: {
      chat: { safety_identifier: 'user-7' },
      messages: { metadata: { user_id: 'user-7' } },
      responses: { safety_identifier: 'user-7' },
    },
    at: {
      openai: as({ safety_identifier: 'user-7' }),
      responses: as({ safety_identifier: 'user-7' }),
      anthropic: as({ metadata: { user_id: 'user-7' } }),
      cohere: leftOut('safety_identifier', NO_WORD.cohere, {}, 'user-7'),
      gemini: leftOut('safety_identifier', NO_WORD.gemini, {}, 'user-7'),
    },
    except: {
      'messages cohere': leftOut('metadata', NO_WORD.cohere, {}, 'user-7'),
      'messages gemini': leftOut('metadata', NO_WORD.gemini, {}, 'user-7'),
    },
  },
  {
    name: 'who asks, by its older name',
    says: { chat: { user: 'user-7' }, responses: { user: 'user-7' } },
    at: {
      openai: as({ user: 'user-7' }),
      responses: as({ user: 'user-7' }),
      anthropic: as({ metadata: { user_id: 'user-7' } }),
      cohere: leftOut('user', NO_WORD.cohere, {}, 'user-7'),
      gemini: leftOut('user', NO_WORD.gemini, {}, 'user-7'),
    },
  },
  {
    name: 'metadata',
    says: { chat: { metadata: { team: 'a' } }, responses: { metadata: { team: 'a' } } },
    at: except(everywhere(leftOut('metadata', BILLING, {}, 'team')), { responses: as({ metadata: { team: 'a' } }) }),
  },
  {
    name: 'metadata of Glide',
    says: { glide: { metadata: { team: 'a' } } },
    // The caller's own, which the answer says again.
    at: everywhere(as({}, 'team')),
  },
  {
    name: 'key of a prompt cache',
    says: { chat: { prompt_cache_key: 'cache-7' }, responses: { prompt_cache_key: 'cache-7' } },
    at: except(everywhere(leftOut('prompt_cache_key', BILLING, {}, 'cache-7')), {
      openai: as({ prompt_cache_key: 'cache-7' }),
      responses: as({ prompt_cache_key: 'cache-7' }),
    }),
  },
  {
    name: 'cache_control',
    says: {
      messages: {
        system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
      },
    },
    at: everywhere(leftOut('cache_control', 'Others cache by themselves.', {}, 'ephemeral')),
  },
  {
    name: 'cache_control in Chat Completions',
    says: {
      chat: {
        messages: [
          { role: 'user', content: [{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } } as never] },
        ],
      },
    },
    at: everywhere(leftOut('cache_control', 'Others cache by themselves.', {}, 'ephemeral')),
  },
  {
    name: 'store',
    says: { chat: { store: true }, responses: { store: true } },
    at: except(everywhere(leftOut('store', BILLING, {}, 'store')), {
      openai: as({ store: true }),
      responses: as({ store: true }),
    }),
  },
  {
    name: 'verbosity',
    says: { chat: { verbosity: 'low' }, responses: { text: { verbosity: 'low' } } },
    at: {
      openai: as({ verbosity: 'low' }),
      responses: as({ text: { verbosity: 'low' } }),
      anthropic: skipped('verbosity', NO_WORD.anthropic),
      cohere: skipped('verbosity', NO_WORD.cohere),
      gemini: skipped('verbosity', NO_WORD.gemini),
    },
  },
  {
    name: 'prediction',
    says: { chat: { prediction: { type: 'content', content: 'hi' } } },
    at: ofOneVendor('prediction', 'OpenAI’s Chat Completions'),
  },
  {
    name: 'an answer that is spoken',
    says: { chat: { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' } } },
    at: everywhere(
      skipped(['modalities', 'audio'], 'OpenAI’s Chat Completions alone have it, and the answer would be another.'),
    ),
  },
  {
    name: 'web search',
    says: {
      chat: { web_search_options: {} },
      messages: { tools: [{ type: 'web_search_20250305', name: 'web_search' }] },
      responses: { tools: [{ type: 'web_search' }] },
    },
    at: everywhere(skipped('web_search_options', 'It runs at the vendor, and each has a search of its own.')),
    except: Object.fromEntries([
      ...NOT_MESSAGES.map((tongue) => [
        `messages ${tongue}`,
        skipped('tool of type web_search_20250305', 'It runs at the vendor, and each has a search of its own.'),
      ]),
      ...NOT_RESPONSES.map((tongue) => [
        `responses ${tongue}`,
        skipped('tool of type web_search', 'It runs at the vendor, and each has a search of its own.'),
      ]),
    ]),
  },
  {
    name: 'truncation',
    says: { responses: { truncation: 'auto' } },
    at: everywhere(
      leftOut('truncation', 'Others refuse what is too long, and a larger target is asked.', {}, 'truncation'),
    ),
  },
  {
    name: 'anthropic-beta header',
    says: { messages: {} },
    headers: { 'anthropic-beta': 'context-1m-2025-08-07' },
    at: everywhere(
      leftOut(
        'anthropic-beta',
        'It switches on a feature of Anthropic’s; what the body says of it is read apart.',
        {},
        'context-1m',
      ),
    ),
  },
  {
    name: 'a field that nobody knows',
    says: {
      chat: anyhow<'chat'>({ no_such_field: 7 }),
      messages: anyhow<'messages'>({ no_such_field: 7 }),
      responses: anyhow<'responses'>({ no_such_field: 7 }),
      glide: anyhow<'glide'>({ no_such_field: 7 }),
    },
    at: everywhere(
      skipped('no_such_field', 'What it means is not known, and so not whether the answer depends on it.'),
    ),
    except: {
      // It went there, and the vendor said what it thinks of it.
      'chat openai': kept(400),
      'messages anthropic': kept(400),
      'responses responses': kept(400),
      ...Object.fromEntries(
        (['openai', 'responses', 'anthropic', 'cohere', 'gemini'] as const).map((tongue) => [
          `glide ${tongue}`,
          refused('no_such_field', OF_GLIDE),
        ]),
      ),
    },
    answer({ complaint }) {
      expect(complaint?.message).toContain('no_such_field');
    },
  },
  {
    name: 'a field that nobody knows, inside a message',
    says: {
      chat: { messages: [{ role: 'user', content: 'hi', no_such_field: 7 } as never] },
      responses: { input: [{ role: 'user', content: 'hi', no_such_field: 7 } as never] },
      messages: { messages: [{ role: 'user', content: 'hi', no_such_field: 7 } as never] },
    },
    at: everywhere(
      skipped('messages[].no_such_field', 'What it means is not known, and so not whether the answer depends on it.'),
    ),
    except: Object.fromEntries(
      [
        ...NOT_MESSAGES.map((tongue) => `messages ${tongue}`),
        ...NOT_RESPONSES.map((tongue) => `responses ${tongue}`),
      ].map((pair) => [
        pair,
        skipped('message.no_such_field', 'What it means is not known, and so not whether the answer depends on it.'),
      ]),
    ),
  },
  {
    name: 'a part that nobody knows',
    says: {
      chat: { messages: [{ role: 'user', content: [{ type: 'smell', smell: 'rose' } as never] }] },
      messages: { messages: [{ role: 'user', content: [{ type: 'smell', smell: 'rose' } as never] }] },
      responses: { input: [{ role: 'user', content: [{ type: 'smell', smell: 'rose' } as never] }] },
      glide: { message: { role: 'user', content: [{ type: 'smell', smell: 'rose' } as never] } },
    },
    at: everywhere(skipped('smell part', 'What it means is not known; only the vendor of the format may.')),
    except: { 'chat openai': kept(400), 'messages anthropic': kept(400), 'responses responses': kept(400) },
  },
  {
    name: 'a block of one vendor',
    says: {
      messages: {
        messages: [
          {
            role: 'user',
            content: [
              { type: 'search_result', source: 'a', title: 'b', content: [{ type: 'text', text: 'c' }] },
              { type: 'text', text: 'hi' },
            ],
          },
        ],
      },
    },
    at: ofOneVendor('search_result part', 'Anthropic'),
  },
  {
    name: 'a conversation that is stored',
    says: { responses: { previous_response_id: 'resp_1' } },
    at: everywhere(
      refused(
        'previous_response_id',
        'Only the vendor that stored it could answer, and no other target could take its place.',
      ),
    ),
    except: {
      'responses responses': refused(
        'previous_response_id',
        'Only the vendor that stored it could answer, and no other target could take its place.',
      ),
    },
  },
  {
    name: 'a value of the wrong kind',
    says: {
      chat: anyhow<'chat'>({ temperature: 'hot' }),
      messages: anyhow<'messages'>({ temperature: 'hot' }),
      responses: anyhow<'responses'>({ temperature: 'hot' }),
      glide: anyhow<'glide'>({ temperature: 'hot' }),
    },
    at: everywhere(refused('temperature', 'No vendor takes it, so that none is asked.')),
    except: {
      'chat openai': refused('temperature', 'No vendor takes it, so that none is asked.'),
      'messages anthropic': refused('temperature', 'No vendor takes it, so that none is asked.'),
      'responses responses': refused('temperature', 'No vendor takes it, so that none is asked.'),
    },
  },
];
