import { createRouter, type Router, type TargetSpec } from '@switchyard/core';
import { setup } from './setup.ts';

// Everything that a router does by itself is on: health, headers, hedging, and somebody who listens to its events.

/** The SDK is loaded when it is used: start-up time and memory are those of a server that has one of them. */
const target = async (url: string, id: string, key: string): Promise<TargetSpec> => {
  switch (setup.provider) {
    case 'openai': {
      const { openai } = await import('@switchyard/core/openai');
      const other = setup.builtInFetch ? { fetch: globalThis.fetch } : {};
      return openai('mock-model', { id, apiKey: key, baseURL: `${url}/v1`, ...other });
    }
    case 'anthropic': {
      const { anthropic } = await import('@switchyard/core/anthropic');
      return anthropic('mock-model', { id, apiKey: key, baseURL: url });
    }
    case 'cohere': {
      const { cohere } = await import('@switchyard/core/cohere');
      return cohere('mock-model', { id, token: key, baseUrl: url });
    }
    case 'google': {
      const { google } = await import('@switchyard/core/google');
      return google('mock-model', { id, apiKey: key, baseURL: url });
    }
    case 'google-genai': {
      const { googleGenAI } = await import('@switchyard/core/google-genai');
      return googleGenAI('mock-model', { id, apiKey: key, httpOptions: { baseUrl: url } });
    }
  }
};

/** How many events there were: a listener that does nothing might be optimized away. */
export const heard = { events: 0 };

const routes: Record<string, { pool: TargetSpec[] }> = {};
for (let i = 0; i < setup.routes; i++) {
  const pool = Array.from({ length: setup.targets }, (_, at) =>
    // Each route has an account of its own: a limit of one of them leaves the others alone.
    target(at === 0 ? setup.urls[0] : setup.urls[1], `target-${at}`, `key-${i}`),
  );
  routes[`route-${i}`] = { pool: await Promise.all(pool) };
}

export const router: Router = createRouter({
  routes,
  onEvent: () => {
    heard.events += 1;
  },
});
