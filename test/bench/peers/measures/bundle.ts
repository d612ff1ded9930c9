import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { SWITCHYARD } from '../candidates.ts';
import type { Finding, Measure } from '../measure.ts';

/** What every user of the Hono adapter has, whatever vendors they use. */
const ENTRY = `export { createRouter } from '@switchyard/core'; export { switchyard } from '@switchyard/hono';`;

/** The user's own. */
export const FRAMEWORK: readonly string[] = ['hono', 'hono/*', '@hono/*'];
export const DEPENDENCIES: readonly string[] = ['zod', '@cfworker/json-schema', 'undici', 'tokenx'];

/** In kB. `conditions` say what is weighed: what is published, or the sources. */
export const sizeOf = async (external: readonly string[], conditions: readonly string[] = []): Promise<number> => {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'node',
    external: [...external],
    conditions: [...conditions],
    logLevel: 'error',
  });
  return outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0) / 1_000;
};

/** With the dependencies, and without. */
export const bundle: Measure = {
  name: 'bundle',
  what: 'core, http and the Hono adapter without SDKs, minified and gzipped',
  run: async () => {
    const finding = (quantity: string, value: number): Finding => ({
      quantity,
      unit: 'kB',
      candidate: SWITCHYARD.name,
      values: [value],
    });
    return [
      finding('bundle, own code', await sizeOf([...FRAMEWORK, ...DEPENDENCIES])),
      finding('bundle, with all dependencies', await sizeOf(FRAMEWORK)),
    ];
  },
};
