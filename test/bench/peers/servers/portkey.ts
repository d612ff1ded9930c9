// As it is published. With the newest @hono/node-server that its range allows it answers 500 to everything, since it writes
// into headers that the light Response of that server takes from fetch as they are; so it gets the built-in Response back.

const { Response: builtIn } = globalThis;
const timer = setInterval(() => {
  if (globalThis.Response === builtIn) return;
  Object.defineProperty(globalThis, 'Response', { value: builtIn, configurable: true, writable: true });
  clearInterval(timer);
}, 5);
await import(new URL('./build/start-server.js', import.meta.resolve('@portkey-ai/gateway/package.json')).href);
