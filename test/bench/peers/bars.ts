import { AI_SDK, BARE, type Candidate, HONO_OPENAI, PORTKEY, SWITCHYARD, VENDORS } from './candidates.ts';
import { type Finding, find, ratiosOf, type Spread, spreadOf } from './measure.ts';
import { LARGE } from './measures/scale.ts';

// What was promised, and whether it holds.

export interface Bar {
  readonly what: string;
  /** Written with its unit. */
  readonly promised: string;
  readonly measured: Spread;
  readonly unit: string;
  readonly holds: boolean;
  /** Why it does not hold, where that is known. */
  readonly because?: string;
}

type Kind = 'at most' | 'at least';

/** What stands in the way of a bar, where that is known. Printed only when it does not hold. */
const BECAUSE: Readonly<Record<string, string>> = {
  plain:
    'about half of the time is that of Node, most of it system calls of two connections, and a seventh that of undici: the bare proxy has both too. ' +
    'Beyond it, request and answer are parsed and printed again, and each attempt is planned and observed',
  google:
    'the archived `@google/generative-ai` knows only the global `fetch`, which makes web streams for each call; with `@google/genai`, which takes another, it is that of the others',
  firstWord:
    'at 20 requests a second the processor is cold: a request is with the vendor after 0.5 ms, and its first content takes 0.5 ms on its way out. ' +
    'Headers wait for that content, so that the status can still be another, and the server of Hono writes them by themselves',
  bundle:
    'our own code is most of it: all strategies and formats are in it, since a config or a caller may name any of them ' +
    '([0054](decisions/0054-zod-mini-reads-the-config.md)); the rest is zod/mini, a validator of JSON schemas and an estimate of tokens',
};

export const barsOf = (findings: readonly Finding[]): readonly Bar[] => {
  const bars: Bar[] = [];
  const add = (
    what: string,
    kind: Kind,
    limit: number,
    unit: string,
    values: readonly number[],
    because?: string,
  ): void => {
    const measured = spreadOf(values);
    if (Number.isNaN(measured.median)) return;
    const holds = kind === 'at most' ? measured.median <= limit : measured.median >= limit;
    bars.push({
      what,
      promised: `${kind} ${limit} ${unit}`.trim(),
      measured,
      unit,
      holds,
      ...(because && { because }),
    });
  };
  const values = (quantity: string, candidate: Candidate = SWITCHYARD): readonly number[] =>
    find(findings, quantity, candidate)?.values ?? [];
  const ratio = (quantity: string, base: Candidate, candidate: Candidate = SWITCHYARD): readonly number[] => {
    const own = find(findings, quantity, candidate);
    return own === undefined ? [] : ratiosOf(own, find(findings, quantity, base));
  };
  const minus = (quantity: string, base: Candidate): readonly number[] =>
    values(quantity).map((value, round) => value - (values(quantity, base)[round] ?? Number.NaN));

  add(
    'CPU per request, OpenAI in and out',
    'at most',
    2.5,
    '× bare proxy',
    ratio('CPU per request', BARE),
    BECAUSE.plain,
  );
  add('the same, beside Portkey', 'at most', 0.25, '× Portkey', ratio('CPU per request', PORTKEY));
  add('requests at saturation', 'at least', 0.4, '× bare proxy', ratio('requests at saturation', BARE));
  add('the same, beside Portkey', 'at least', 4, '× Portkey', ratio('requests at saturation', PORTKEY));
  add('the same, beside the AI SDK', 'at least', 3, '× AI SDK', ratio('requests at saturation', AI_SDK));
  for (const vendor of VENDORS) {
    add(
      `CPU per request, ${vendor.name}`,
      'at most',
      4.5,
      '× bare proxy',
      ratio('CPU per request', BARE, vendor),
      vendor.setup?.provider === 'google' ? BECAUSE.google : undefined,
    );
  }
  add('chunks per second, OpenAI in and out', 'at least', 0.8, '× bare proxy', ratio('chunks per second', BARE));
  add(
    'first word of a stream, p50',
    'at most',
    0.5,
    'ms more than bare',
    minus('first word, p50', BARE),
    BECAUSE.firstWord,
  );
  for (const vendor of VENDORS) {
    add(
      `chunks per second, ${vendor.name}`,
      'at least',
      0.35,
      '× bare proxy',
      ratio('chunks per second', BARE, vendor),
    );
    add(`chunks per second, ${vendor.name}`, 'at least', 1.5, '× AI SDK', ratio('chunks per second', AI_SDK, vendor));
  }
  add('latency at 30 % of saturation, p50', 'at most', 0.4, 'ms more than bare', minus('latency, p50', BARE));
  add('latency at 30 % of saturation, p99', 'at most', 1.3, '× bare proxy', ratio('latency, p99', BARE));
  for (const fault of ['status-500', 'status-429', 'reset']) {
    const quantity = `gap after ${fault}, p50`;
    add(`gap after ${fault}, p50`, 'at most', 0.7, 'ms', values(quantity));
    add(`gap after ${fault}, p50`, 'at most', 2.5, '× bare proxy', ratio(quantity, BARE));
  }
  add('wasted on a target that answers 500', 'at most', 10, 'of 1 000', values('wasted on status-500'));
  add('wasted on a target that is refused', 'at most', 10, 'of 1 000', values('wasted on refuse'));
  add('wasted on a target that hangs', 'at most', 48, 'of 1 000', values('wasted on hang'));
  add('memory after 50 000 answers', 'at most', 1.5, '× Hono + openai SDK', ratio('memory after 50 000', HONO_OPENAI));
  add('its growth over the next 50 000', 'at most', 5, '%', values('growth over the next 50 000'));
  for (const each of ['request', 'chunk']) {
    const quantity = `CPU per ${each} at scale`;
    const large = find(findings, quantity, LARGE);
    const ratios = large === undefined ? [] : ratiosOf(large, find(findings, quantity, SWITCHYARD));
    add(`CPU per ${each}, 100 routes × 10 targets`, 'at most', 1.1, '× 1 × 2', ratios);
  }
  add(
    'core, http and an adapter, minified and gzipped',
    'at most',
    40,
    'kB',
    values('bundle, with all dependencies'),
    BECAUSE.bundle,
  );
  return bars;
};
