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
  /** Where the simulated ones are; undefined where none is. */
  readonly urls: Urls | undefined;
  /** Serves `/_simulator`, with which simulated vendors are watched, broken and healed. */
  readonly control: MiddlewareHandler;
  close(): Promise<void>;
}

type Urls = Readonly<Record<VendorName, string>>;

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
    return { at, simulated, urls: undefined, control: (_, next) => next(), close: async () => {} };
  }
  const { urls, control, close } = env.SIMULATED === undefined ? await simulate() : simulatedBy(env.SIMULATED);
  const unlessReal = <Options>(name: VendorName, options: Options): Options | Record<never, never> =>
    simulated.includes(name) ? options : {};
  const key = 'simulated';
  return {
    at: {
      openai: unlessReal('openai', { apiKey: key, baseURL: `${urls.openai}/v1`, timeouts: IMPATIENT }),
      anthropic: unlessReal('anthropic', { apiKey: key, baseURL: urls.anthropic, timeouts: IMPATIENT }),
      google: unlessReal('google', { apiKey: key, baseURL: urls.google, timeouts: IMPATIENT }),
      cohere: unlessReal('cohere', { token: key, baseUrl: urls.cohere, timeouts: IMPATIENT }),
    },
    simulated,
    urls,
    control,
    close,
  };
};

type Simulated = Pick<Vendors, 'control' | 'close'> & { readonly urls: Urls };

const simulate = async (): Promise<Simulated> => {
  const { vendors, control, close } = await startSimulator({ vendors: MODELS });
  const urls = Object.fromEntries(VENDOR_NAMES.map((name) => [name, vendors[name].url])) as Urls;
  return { urls, control: async (c, next) => (await control(c.req.raw)) ?? next(), close };
};

/** In a worker: the primary simulates them for all. */
const simulatedBy = (primary: string): Simulated => {
  const { urls, control } = JSON.parse(primary) as { readonly urls: Urls; readonly control: string };
  return {
    urls,
    control: async (c) => {
      const { method, path } = c.req;
      return fetch(new URL(path, control), { method, ...(method === 'PUT' && { body: await c.req.text() }) });
    },
    // Nothing else holds a worker.
    close: async () => process.disconnect(),
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
