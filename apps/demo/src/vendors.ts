import type { Timeouts } from '@switchyard/core';
import type { AnthropicTargetOptions } from '@switchyard/core/anthropic';
import type { CohereTargetOptions } from '@switchyard/core/cohere';
import type { GoogleTargetOptions } from '@switchyard/core/google';
import type { OpenAITargetOptions } from '@switchyard/core/openai';
import { startSimulator, VENDOR_NAMES, type VendorModel, type VendorName } from '@switchyard/simulator';
import type { MiddlewareHandler } from 'hono';

/** Where the vendors are: each is the real one when its key is set, and a simulated one when not. */
export interface Vendors {
  /** Options that lead a target to its vendor: none for a real one, since an SDK finds its vendor and its key by itself. */
  readonly at: {
    readonly openai: OpenAITargetOptions;
    readonly anthropic: AnthropicTargetOptions;
    readonly google: GoogleTargetOptions;
    readonly cohere: CohereTargetOptions;
  };
  readonly simulated: readonly VendorName[];
  /** Serves `/_simulator`, with which simulated vendors are watched, broken and healed. */
  readonly control: MiddlewareHandler;
  close(): Promise<void>;
}

/** Where each vendor's SDK looks for its key. */
const KEYS: Readonly<Record<VendorName, string>> = {
  openai: 'OPENAI_API_KEY',
  anthropic: 'ANTHROPIC_API_KEY',
  google: 'GEMINI_API_KEY',
  cohere: 'CO_API_KEY',
};

/** As quick as good days of the real ones: the first token after 150 to 300 ms, then 80 to 120 tokens per second. */
const MODELS: Readonly<Record<VendorName, VendorModel>> = {
  openai: { firstTokenMs: { median: 200, sigma: 0.12 }, tokensPerSecond: 110 },
  anthropic: { firstTokenMs: { median: 240, sigma: 0.12 }, tokensPerSecond: 90 },
  google: { firstTokenMs: { median: 180, sigma: 0.12 }, tokensPerSecond: 120 },
  cohere: { firstTokenMs: { median: 220, sigma: 0.12 }, tokensPerSecond: 80 },
};

/** A simulated vendor needs no patience: a visitor who breaks one is to see the next answer, not a spinner. */
const IMPATIENT: Timeouts = { connect: '1s', firstContent: '2s', answer: '4s', idle: '2s' };

export const findVendors = async (env: Readonly<Record<string, string | undefined>>): Promise<Vendors> => {
  const simulated = VENDOR_NAMES.filter((name) => (env[KEYS[name]] ?? '') === '');
  if (simulated.length === 0) {
    const at = { openai: {}, anthropic: {}, google: {}, cohere: {} };
    return { at, simulated, control: (_, next) => next(), close: async () => {} };
  }
  const { vendors, control, close } = await startSimulator({ vendors: MODELS });
  const unlessReal = <Options>(name: VendorName, options: Options): Options | Record<never, never> =>
    simulated.includes(name) ? options : {};
  const key = 'simulated';
  return {
    at: {
      openai: unlessReal('openai', { apiKey: key, baseURL: `${vendors.openai.url}/v1`, timeouts: IMPATIENT }),
      anthropic: unlessReal('anthropic', { apiKey: key, baseURL: vendors.anthropic.url, timeouts: IMPATIENT }),
      google: unlessReal('google', { apiKey: key, baseURL: vendors.google.url, timeouts: IMPATIENT }),
      cohere: unlessReal('cohere', { token: key, baseUrl: vendors.cohere.url, timeouts: IMPATIENT }),
    },
    simulated,
    control: async (c, next) => (await control(c.req.raw)) ?? next(),
    close,
  };
};

/** What the demo says when it is up: three commands to copy, in the order in which they tell a story. */
export const whatToTry = (url: string, simulated: readonly VendorName[]): string => {
  const real = VENDOR_NAMES.filter((name) => !simulated.includes(name));
  const ask = `curl -si ${url}/llm/chat/v1/chat/completions -H 'content-type: application/json' \\
    -d '{"messages": [{"role": "user", "content": "Hello"}]}'`;
  const [victim] = simulated;
  return `
Switchyard demo: ${url}

  simulated  ${simulated.join(', ') || 'none'}
  real       ${real.join(', ') || `none; set ${Object.values(KEYS).join(', ')} for real ones`}

Ask:
  ${ask}
${
  victim === undefined
    ? ''
    : `
Break ${victim}, ask again, and see x-switchyard-target and x-switchyard-trace in the answer:
  curl -X PUT ${url}/_simulator/${victim} -d '{"fault": {"kind": "status", "status": 503}}'

Heal it:
  curl -X PUT ${url}/_simulator/${victim} -d '{"fault": null}'
`
}
Or do all of it on the page: ${url}
`;
};
