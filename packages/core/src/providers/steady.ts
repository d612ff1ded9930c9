import type OpenAI from 'openai';
import type { ClientOptions } from 'openai';
import { FixedHeaders } from '../transport/fixed-headers.ts';

type Built = Awaited<ReturnType<OpenAI['buildRequest']>>;

/** Whether requests of a client differ in their bodies alone: a key may be a function, and other clouds sign each request. */
export const isSteady = ({ apiKey, provider }: ClientOptions): boolean =>
  typeof apiKey !== 'function' && provider === undefined;

/**
 * Makes a client put URL and headers together once for each path, and go to its transport without a clock of its own. Both are
 * the same each time, and cost the SDK more than all the rest of a call. They are replaced where the SDK provides for it, and
 * not in a class of ours, whose name would be sent as the user agent.
 */
export const steady = (client: OpenAI, transport: typeof fetch): OpenAI => {
  const build = client.buildRequest.bind(client);
  const send = client.fetchWithTimeout.bind(client);
  const heads = new Map<string, Built>();
  client.buildRequest = async (options, more) => {
    // Whoever has headers of a request's own, or a query, gets the SDK's own work.
    if (options.headers !== undefined || options.query !== undefined) return build(options, more);
    let head = heads.get(options.path);
    if (head === undefined) {
      const { req, url, timeout } = await build(options, more);
      head = { req: { method: options.method.toUpperCase(), headers: new FixedHeaders(req.headers) }, url, timeout };
      heads.set(options.path, head);
    }
    const { req, url, timeout } = head;
    const body = JSON.stringify(options.body);
    return { req: { ...req, ...(options.fetchOptions as object), body }, url, timeout };
  };
  client.fetchWithTimeout = (url, init, ...clock) =>
    init?.headers instanceof FixedHeaders ? transport(url, init) : send(url, init, ...clock);
  return client;
};
