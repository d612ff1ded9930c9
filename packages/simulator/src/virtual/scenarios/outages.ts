import type { Scenario } from '../scenario.ts';
import { outage, TALKING } from './outage.ts';

const down = { kind: '5xx' } as const;
const ALL = ['a', 'b', 'c'];
const talking = { scenario: { pool: TALKING } };

/** Outages by their kind. What a vendor says of its limits, and what limits do, is in files of their own. */
// biome-ignore format: reads as a table
export const OUTAGES: readonly Scenario[] = [
  outage('healthy',         'nothing is wrong'),
  outage('server-errors',   'the first vendor answers 500', down),
  outage('hang',            'the first vendor takes requests and never answers', { kind: 'hang' }),
  outage('rate-limited',    'the first vendor answers 429 with a Retry-After of 20 s', { kind: 'rate-limit', headers: { 'retry-after': '20' } }),
  outage('brown-out',       'the first vendor is four times as slow', { kind: 'slow', factor: 4 }),
  outage('all-down',        'every vendor answers 500', down, { vendors: ALL }),
  outage('refused',         'nobody listens at the first vendor', { kind: 'refuse' }),
  outage('no-connection',   'no connection to the first vendor comes about', { kind: 'no-connection' }),
  outage('partial-5',       'one in twenty calls to the first vendor ends in a 500', down, { probability: 0.05 }),
  outage('partial-30',      'three in ten calls to the first vendor end in a 500', down, { probability: 0.3 }),
  outage('partial-50',      'half of the calls to the first vendor end in a 500', down, { probability: 0.5 }),
  outage('flapping',        'the first vendor answers 500 for 10 s, well for 10 s, and so on', down, { flap: { onMs: 10_000, offMs: 10_000 } }),
  outage('late-error',      'the first vendor says 200, and then that it failed', { kind: 'error-in-stream' }),
  outage('two-down',        'the first two vendors answer 500', down, { vendors: ['a', 'b'] }),
  outage('bad-key',         'the first vendor refuses the key', { kind: 'status', status: 401 }),
  outage('retired',         'the model of the first vendor is gone: 404', { kind: 'status', status: 404 }),

  outage('quick-return',    'the first vendor answers 500, and the router is told to leave it alone for 15 s at most and to bring it back within 10 s', down, { scenario: { router: { health: { longestCooling: '15s', ramp: '10s' } } } }),
  outage('overloaded',      'the first vendor answers 529', { kind: '5xx', status: 529 }),
  outage('overloaded-told', 'the first vendor answers 503 with a Retry-After of 10 s', { kind: '5xx', status: 503, headers: { 'retry-after': '10' } }),
  outage('slow-errors',     'the first vendor answers 504, each time after half a minute', { kind: '5xx', status: 504, afterMs: 30_000 }),
  outage('reset',           'the first vendor resets connections after it has read the request', { kind: 'reset' }),
  outage('slow-dns',        'connections to the first vendor take 5 s, more than the router allows', { kind: 'slow-connection', ms: 5_000 }),
  outage('slowish-dns',     'connections to the first vendor take 1.5 s, a bit less than the router allows', { kind: 'slow-connection', ms: 1_500 }),
  outage('silent-head',     'the first vendor sends status 200 and headers, and then nothing', { kind: 'hang-after-headers' }),
  outage('empty',           'the first vendor sends 200 and an answer without content', { kind: 'empty' }),
  outage('malformed',       'the first vendor sends 200 and what is not JSON', { kind: 'malformed' }),
  outage('partial-10',      'one in ten calls to the first vendor ends in a 500', down, { probability: 0.1 }),
  outage('brown-out-2',     'the first vendor is twice as slow', { kind: 'slow', factor: 2 }),
  outage('brown-out-10',    'the first vendor is ten times as slow', { kind: 'slow', factor: 10 }),
  outage('stall',           'answers of the first vendor stop after half of their 200 tokens', { kind: 'stall', afterTokens: 100 }, talking),
  outage('truncated',       'answers of the first vendor end without an end marker', { kind: 'no-end' }, talking),
  outage('cut',             'one in ten answers of the first vendor is cut after half of its 200 tokens', { kind: 'cut', afterTokens: 100 }, { ...talking, probability: 0.1 }),
  outage('garbled',         'one in ten answers of the first vendor turns into what is not JSON after half of its 200 tokens', { kind: 'malformed', afterTokens: 100 }, { ...talking, probability: 0.1 }),
  outage('rejected',        'one request in fifty is refused by every vendor as wrong in itself (400, 422 and a content filter are alike in this): its caller hears so, and no vendor is to blame', { kind: 'status', status: 400 }, { vendors: ALL, probability: 0.02 }),
  outage('unsupported',     'the first vendor does not know a parameter of three requests in ten', { kind: 'status', status: 400, code: 'unsupported_parameter' }, { probability: 0.3 }),
  outage('impatient',       'nothing is wrong, but half of the callers leave within a second or so', undefined, { scenario: { requests: [{ share: 1, inputTokens: 500 }, { share: 1, inputTokens: 500, leavesAfterMs: { median: 700, sigma: 0.5 } }] } }),
  outage('blip-1.5',        'every vendor answers 500 for 1.5 s', down, { vendors: ALL, forMs: 1_500, scenario: { durationMs: 300_000 } }),
  outage('blip-3',          'every vendor answers 500 for 3 s', down, { vendors: ALL, forMs: 3_000, scenario: { durationMs: 300_000 } }),
  outage('blip-10',         'every vendor answers 500 for 10 s', down, { vendors: ALL, forMs: 10_000, scenario: { durationMs: 300_000 } }),
  outage('busy',            'a hundred requests per second, and the first vendor takes them and never answers; --rate plays any scenario at any rate', { kind: 'hang' }, { scenario: { arrivals: { perSecond: 100 } } }),
  outage('bursts',          'ten requests per second that come in bursts, and the first vendor answers 500', down, { scenario: { arrivals: { perSecond: 10, shape: 0.25 } } }),
];
