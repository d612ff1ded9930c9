import { createRouter, isRouterError, type Strategy, type StrategyName } from '@switchyard/core';
import type { Design } from './design.ts';

/** The router with a strategy of its own instead of the scenario's. */
export const switchyardWith = (name: string, strategy?: StrategyName | Strategy): Design => ({
  name,
  connect({ world, targets, route, router: settings, onEvent }) {
    const pool = { ...route, ...(strategy !== undefined && { strategy }), pool: targets };
    const router = createRouter({ ...settings, routes: { pool }, system: world, onEvent });
    return {
      async ask(request, { stream, deadlineMs, signal }) {
        try {
          if (!stream) await router.chat('pool', request, { deadlineMs, signal });
          else for await (const _ of router.stream('pool', request, { deadlineMs, signal }));
          return 'answered';
        } catch (error) {
          if (!isRouterError(error)) throw error;
          if (signal?.aborted) return 'left';
          return error.code === 'answer-broke-off' ? 'broke-off' : 'failed';
        }
      },
    };
  },
});

/** The router itself, as in production but for its clock and its dice. */
export const switchyard: Design = switchyardWith('switchyard');
