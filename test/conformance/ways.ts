import type { TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { type OpenAIApi, openai } from '@switchyard/core/openai';
import type { TargetOptions } from '@switchyard/core/provider';
import type { SimulatedVendor, Simulator } from '@switchyard/simulator';

/** The ways to a vendor: five SDKs, of which one speaks two formats. */
export const WAYS = ['openai', 'openai-responses', 'anthropic', 'cohere', 'google-genai', 'google'] as const;

export type Way = (typeof WAYS)[number];

/** What is said on a way. Google's two SDKs say the same. */
export type Tongue = 'openai' | 'responses' | 'anthropic' | 'cohere' | 'gemini';

// biome-ignore format: reads as a table
export const TONGUES: Readonly<Record<Way, Tongue>> = {
  openai:             'openai',
  'openai-responses': 'responses',
  anthropic:          'anthropic',
  cohere:             'cohere',
  'google-genai':     'gemini',
  google:             'gemini',
};

export const vendorOn = (simulator: Simulator, way: Way): SimulatedVendor => {
  switch (way) {
    case 'openai':
    case 'openai-responses':
      return simulator.vendors.openai;
    case 'google':
    case 'google-genai':
      return simulator.vendors.google;
    default:
      return simulator.vendors[way];
  }
};

/** A target at the simulator. Targets with one key fall together, as those of one account do. */
export const targetOn = (simulator: Simulator, way: Way, apiKey = 'k'): TargetSpec => {
  const { url } = vendorOn(simulator, way);
  const shared = { id: way, apiKey };
  switch (way) {
    case 'openai':
      return openaiAt(url, 'chat', shared);
    case 'openai-responses':
      return openaiAt(url, 'responses', shared);
    case 'anthropic':
      return anthropic('claude-sonnet-5-5', { baseURL: url, ...shared });
    case 'cohere':
      return cohere('command-a-03-2025', { id: way, token: apiKey, baseUrl: url });
    case 'google-genai':
      return googleGenAI('gemini-3-pro', { httpOptions: { baseUrl: url }, ...shared });
    case 'google':
      return google('gemini-3-pro', { baseURL: url, ...shared });
  }
};

/** OpenAI itself is told from those that resemble it by its name; so it keeps its name, and only its address is ours. */
const openaiAt = (url: string, api: OpenAIApi, shared: TargetOptions & { readonly apiKey: string }): TargetSpec =>
  openai('gpt-5-mini', {
    api,
    baseURL: `${OPENAI}/v1`,
    fetch: (address, init) => fetch(String(address).replace(OPENAI, url), init),
    ...shared,
  });

const OPENAI = 'https://api.openai.com';
