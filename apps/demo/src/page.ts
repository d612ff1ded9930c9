import { readFile } from 'node:fs/promises';
import { Hono } from 'hono';

/** Beside `src` and `dist`, so that it is the same from either. */
const PUBLIC = new URL('../public/', import.meta.url);

const FILES = [
  { path: '/', file: 'index.html', type: 'text/html; charset=utf-8' },
  { path: '/page.css', file: 'page.css', type: 'text/css; charset=utf-8' },
  { path: '/page.js', file: 'page.js', type: 'text/javascript; charset=utf-8' },
  { path: '/chat.js', file: 'chat.js', type: 'text/javascript; charset=utf-8' },
  { path: '/vendors.js', file: 'vendors.js', type: 'text/javascript; charset=utf-8' },
  { path: '/icon.svg', file: 'icon.svg', type: 'image/svg+xml' },
] as const;

/** The page, and what it cannot know by itself: which vendors are simulated, and so can be broken. */
export const page = (simulated: readonly string[]): Hono => {
  const app = new Hono();
  for (const { path, file, type } of FILES) {
    // Read anew each time, so that an edit shows at the next reload.
    app.get(path, async (c) =>
      c.body(await readFile(new URL(file, PUBLIC), 'utf8'), 200, {
        'content-type': type,
        'content-security-policy': "default-src 'self'",
        'cache-control': 'no-cache',
      }),
    );
  }
  app.get('/simulated.json', (c) => c.json({ simulated }));
  return app;
};
