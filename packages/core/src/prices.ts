import type { TargetPrice } from './decide/price.ts';

/**
 * The vendors' list prices on `PRICES_AS_OF`, for their own endpoints and their standard service: in US dollars for a
 * million tokens of text. Batch, flex, priority and regional surcharges, sound, images and hosted tools are not in here, and a
 * write to Anthropic's cache is one for five minutes. A target's `price` goes before it, and is the place for what
 * somebody has agreed on with a vendor.
 *
 * A model that is missing has no price: better unknown than wrong. Sources, each read on or before that day:
 * platform.claude.com/docs/en/about-claude/pricing, developers.openai.com/api/docs/pricing,
 * ai.google.dev/gemini-api/docs/pricing, cohere.com/pricing, and models.dev, which collects them.
 */
export const PRICES_AS_OF = '2026-11-23';

/** Input, output, and where they differ from input: what the cache serves, and what is written to it. */
type Row = readonly [
  models: RegExp,
  inputUsd: number,
  outputUsd: number,
  cachedUsd?: number | undefined,
  writtenUsd?: number | undefined,
  longPrompts?: readonly [
    aboveInputTokens: number,
    inputUsd: number,
    outputUsd: number,
    cachedUsd?: number,
    writtenUsd?: number,
  ],
];

/** `-2025-08-07`, as OpenAI dates its models, and `-20251001` or `-0`, as Anthropic does. */
const openai = (name: string): RegExp => new RegExp(`^${name.replaceAll('.', '\\.')}(-\\d{4}-\\d{2}-\\d{2})?$`);
const claude = (name: string): RegExp => new RegExp(`^claude-${name}(-\\d{8})?$`);
const exactly = (...names: readonly string[]): RegExp => new RegExp(`^(${names.join('|').replaceAll('.', '\\.')})$`);

// biome-ignore format: reads as a table
const OPENAI: readonly Row[] = [
  [openai('gpt-6-astra'),             10,    50,   1,     12.5,      [272_000, 20, 75, 2, 25]],
  [openai('gpt-6-sol'),                2,    10,   0.2,   2.5,       [272_000, 4, 15, 0.4, 5]],
  [openai('gpt-6-luna'),               0.1,   0.5, 0.01,  0.125,     [272_000, 0.2, 0.75, 0.02, 0.25]],
  [openai('gpt-5.5'),                  5,    30,   0.5,   undefined, [272_000, 10, 45, 1]],
  [openai('gpt-5.4'),                  2.5,  15,   0.25,  undefined, [272_000, 5, 22.5, 0.5]],
  [openai('gpt-5.4-mini'),             0.75,  4.5, 0.075],
  [openai('gpt-5.4-nano'),             0.2,   1.25, 0.02],
  [openai('gpt-5.2'),                  1.75, 14,   0.175],
  [openai('gpt-5.1'),                  1.25, 10,   0.125],
  [openai('gpt-5'),                    1.25, 10,   0.125],
  [openai('gpt-5-mini'),               0.25,  2,   0.025],
  [openai('gpt-5-nano'),               0.05,  0.4, 0.005],
  [openai('gpt-5-pro'),               15,   120],
  [openai('gpt-4.1'),                  2,     8,   0.5],
  [openai('gpt-4.1-mini'),             0.4,   1.6, 0.1],
  [openai('gpt-4.1-nano'),             0.1,   0.4, 0.025],
  [exactly('gpt-4o-2024-05-13'),       5,    15],
  [openai('gpt-4o'),                   2.5,  10,   1.25],
  [openai('gpt-4o-mini'),              0.15,  0.6, 0.075],
  [openai('o3'),                       2,     8,   0.5],
  [openai('o4-mini'),                  1.1,   4.4, 0.275],
  [openai('text-embedding-3-small'),   0.02,  0],
  [openai('text-embedding-3-large'),   0.13,  0],
];

// biome-ignore format: reads as a table
const ANTHROPIC: readonly Row[] = [
  [claude('fable-5-1'),              10,   50,  0.25, 12.5],
  [claude('fable-5'),                10,   50,  1,    12.5],
  [claude('opus-5-5'),                4,   20,  0.2,   5],
  [claude('opus-(5|4-[5678])'),       5,   25,  0.5,   6.25],
  [claude('opus-4(-[01])?'),         15,   75,  1.5,  18.75],
  [claude('sonnet-5-5'),              2,   10,  0.1,   2.5],
  [claude('sonnet-5'),                2,   10,  0.2,   2.5],
  [claude('sonnet-4(-[056])?'),       3,   15,  0.3,   3.75],
  [claude('haiku-5-5'),               0.1,  0.5, 0.01, 0.125, [100_000, 0.5, 2.5, 0.05, 0.625]],
  [claude('haiku-4-5'),               1,    5,  0.1,   1.25],
];

// biome-ignore format: reads as a table
const GOOGLE: readonly Row[] = [
  [exactly('gemini-3.5-flash'),                        1.5,   9,   0.15],
  [exactly('gemini-3.1-pro-preview'),                  2,    12,   0.2,  undefined, [200_000, 4, 18, 0.4]],
  [exactly('gemini-3.1-flash-lite'),                   0.25,  1.5, 0.025],
  [exactly('gemini-3-flash-preview'),                  0.5,   3,   0.05],
  [exactly('gemini-2.5-pro'),                          1.25, 10,   0.125, undefined, [200_000, 2.5, 15, 0.25]],
  [exactly('gemini-2.5-flash'),                        0.3,   2.5, 0.03],
  [exactly('gemini-2.5-flash-lite'),                   0.1,   0.4, 0.01],
  [exactly('gemini-embedding-001'),                    0.15,  0],
];

// biome-ignore format: reads as a table
const COHERE: readonly Row[] = [
  [exactly('command-a-03-2025', 'command-r-plus-08-2024'), 2.5,    10],
  [exactly('command-r-08-2024'),                           0.15,    0.6],
  [exactly('command-r7b-12-2024'),                         0.0375,  0.15],
  [exactly('embed-v4.0'),                                  0.12,    0],
];

/** By where requests go: whoever stands between us and a vendor has prices of its own. */
const TABLES: ReadonlyMap<string, readonly Row[]> = new Map([
  ['https://api.openai.com/v1', OPENAI],
  ['https://api.anthropic.com', ANTHROPIC],
  ['https://generativelanguage.googleapis.com', GOOGLE],
  ['https://api.cohere.com', COHERE],
]);

/** What a model costs at an endpoint, as far as the table knows. */
export const listPrice = (endpoint: string, model: string): TargetPrice | undefined => {
  const row = TABLES.get(endpoint.replace(/\/+$/, ''))?.find(([models]) => models.test(model));
  if (row === undefined) return undefined;
  const [, input, output, cached, written, longer] = row;
  if (longer === undefined) return tariff(input, output, cached, written);
  const [aboveInputTokens, ...prices] = longer;
  return { ...tariff(input, output, cached, written), longPrompts: { aboveInputTokens, ...tariff(...prices) } };
};

const tariff = (input: number, output: number, cached?: number, written?: number): TargetPrice => ({
  inputUsdPerMTok: input,
  ...(cached !== undefined && { cachedInputUsdPerMTok: cached }),
  ...(written !== undefined && { cacheWriteInputUsdPerMTok: written }),
  outputUsdPerMTok: output,
});
