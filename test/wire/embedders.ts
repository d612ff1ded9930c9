import type { TargetSpec } from '@switchyard/core';
import { cohere } from '@switchyard/core/cohere';
import { google } from '@switchyard/core/google';
import { googleGenAI } from '@switchyard/core/google-genai';
import { openai } from '@switchyard/core/openai';
import type { TargetOptions } from '@switchyard/core/provider';
import type { Simulator } from '@switchyard/simulator';
import { vendorOf } from './targets.ts';

/** The four providers that make embeddings, each over its SDK. */
export const EMBEDDERS = ['openai', 'cohere', 'google', 'google-genai'] as const;

export type EmbedderName = (typeof EMBEDDERS)[number];

/** The model of each, and how long its vectors are. */
export const MODELS: Readonly<Record<EmbedderName, readonly [model: string, length: number]>> = {
  openai: ['text-embedding-3-small', 1_536],
  cohere: ['embed-v4.0', 1_536],
  google: ['gemini-embedding-001', 3_072],
  'google-genai': ['gemini-embedding-001', 3_072],
};

export const spaceOf = (provider: EmbedderName): string => MODELS[provider].join('@');

/** A target that makes embeddings, pointed at the simulator. */
export const embedder = (simulator: Simulator, provider: EmbedderName, options: TargetOptions = {}): TargetSpec => {
  const { url } = simulator.vendors[vendorOf(provider)];
  const [model] = MODELS[provider];
  const all = { space: spaceOf(provider), ...options };
  switch (provider) {
    case 'openai':
      return openai(model, { apiKey: 'any-key', baseURL: `${url}/v1`, ...all });
    case 'cohere':
      return cohere(model, { token: 'any-key', baseUrl: url, ...all });
    case 'google':
      return google(model, { apiKey: 'any-key', baseURL: url, ...all });
    case 'google-genai':
      return googleGenAI(model, { apiKey: 'any-key', httpOptions: { baseUrl: url }, ...all });
  }
};
