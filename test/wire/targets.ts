import type { TargetSpec } from '@switchyard/core';
import { anthropic } from '@switchyard/core/anthropic';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import type { TargetOptions } from '@switchyard/core/provider';
import type { Simulator, VendorName } from '@switchyard/simulator';

/** The providers, each over its SDK. OpenAI has two formats, and two SDKs speak to Google. */
export const PROVIDERS = ['openai', 'openai-responses', 'anthropic', 'cohere', 'google', 'google-genai'] as const;

export type ProviderName = (typeof PROVIDERS)[number];

export const vendorOf = (provider: ProviderName): VendorName => {
  if (provider === 'google-genai') return 'google';
  return provider === 'openai-responses' ? 'openai' : provider;
};

/** A target of a provider, pointed at the simulator. */
export const simulated = (simulator: Simulator, provider: ProviderName, options: TargetOptions = {}): TargetSpec => {
  const { url } = simulator.vendors[vendorOf(provider)];
  switch (provider) {
    case 'openai':
      return openai('gpt-5-mini', { apiKey: 'any-key', baseURL: `${url}/v1`, ...options });
    case 'openai-responses':
      return openai('gpt-5-mini', { apiKey: 'any-key', baseURL: `${url}/v1`, api: 'responses', ...options });
    case 'anthropic':
      return anthropic('claude-sonnet-5-5', { apiKey: 'any-key', baseURL: url, ...options });
    case 'cohere':
      return cohere('command-a-03-2025', { token: 'any-key', baseUrl: url, ...options });
    case 'google':
      return google('gemini-2.5-flash', { apiKey: 'any-key', baseURL: url, ...options });
    case 'google-genai':
      return googleGenAI('gemini-2.5-flash', { apiKey: 'any-key', httpOptions: { baseUrl: url }, ...options });
  }
};
