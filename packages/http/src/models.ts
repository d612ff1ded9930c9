import { type Router, RouterError } from '@switchyard/core';
import type { Format } from './format.ts';
import { chatCompletions } from './formats/chat-completions.ts';
import { messages } from './formats/messages.ts';

// The routes and their targets, as a list of models: what clients offer to choose from, and check a name against.

/** What is asked for: of one route or of all, the whole list or one model. */
export interface ModelsEndpoint {
  readonly type: 'models';
  readonly route: string | undefined;
  readonly id: string | undefined;
}

interface Model {
  readonly id: string;
  readonly owner: string;
}

/** `models`, or `models/` and an id, which has slashes of its own and comes escaped or as it is. */
export const matchModels = (name: string, route: string | undefined): ModelsEndpoint | undefined => {
  if (name === 'models') return { type: 'models', route, id: undefined };
  if (!/^models\/./.test(name)) return undefined;
  try {
    return { type: 'models', route, id: decodeURIComponent(name.slice('models/'.length)) };
  } catch {
    // Not an escape: no path of ours.
    return undefined;
  }
};

/** Clients of Anthropic say in a header that they are; all others know OpenAI's lists. */
export const formatOfModels = (headers: Headers): Format =>
  headers.has('anthropic-version') ? messages : chatCompletions;

/** `since` is when the router was made, in seconds: the only time there is that all models have in common. */
export const answerModels = (
  router: Router,
  { route, id }: ModelsEndpoint,
  { url, headers }: Request,
  since: number,
): Response => {
  const all = modelsOf(router, route);
  const anthropics = formatOfModels(headers) === messages;
  const print = (model: Model): object => (anthropics ? forAnthropic(model, since) : forOpenAI(model, since));
  if (id !== undefined) {
    const model = all.find((each) => each.id === id);
    if (model === undefined) throw new RouterError('unknown-route', `There is no model '${id}'.`);
    return Response.json(print(model));
  }
  if (!anthropics) return Response.json({ object: 'list', data: all.map(print) });
  const { page, hasMore } = pageOf(all, new URL(url, 'http://localhost').searchParams);
  return Response.json({
    data: page.map(print),
    has_more: hasMore,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  });
};

/** The routes first: their names are what a client asks for. */
const modelsOf = (router: Router, only: string | undefined): readonly Model[] => {
  const routes = router.snapshot().filter(({ name }) => only === undefined || name === only);
  if (routes.length === 0 && only !== undefined) throw new RouterError('unknown-route', `There is no route '${only}'.`);
  const owners = new Map<string, string>(routes.map(({ name }) => [name, 'switchyard']));
  for (const { targets } of routes) for (const { id, vendor } of targets) owners.set(id, vendor);
  return [...owners].map(([id, owner]) => ({ id, owner }));
};

const forOpenAI = ({ id, owner }: Model, since: number): object => ({
  id,
  object: 'model',
  created: since,
  owned_by: owner,
});

const forAnthropic = ({ id }: Model, since: number): object => ({
  type: 'model',
  id,
  display_name: id,
  created_at: new Date(since * 1_000).toISOString(),
  lifecycle: 'active',
  deprecated_at: null,
  retires_at: null,
  // What a pool can do is not one model's to say.
  capabilities: null,
  line: null,
  max_input_tokens: null,
  max_tokens: null,
});

/** Anthropic lists in pages, of what comes after one model or before another. Without a limit, a page has them all. */
const pageOf = (
  all: readonly Model[],
  query: URLSearchParams,
): { readonly page: readonly Model[]; readonly hasMore: boolean } => {
  const limit = limitOf(query.get('limit'));
  const indexOf = (name: string): number | undefined => {
    const wanted = query.get(name);
    if (wanted === null) return undefined;
    const index = all.findIndex(({ id }) => id === wanted);
    if (index >= 0) return index;
    throw new RouterError('invalid-request', `${name}: expected the id of a model`);
  };
  const before = indexOf('before_id');
  if (before !== undefined) {
    const start = Math.max(0, before - limit);
    return { page: all.slice(start, before), hasMore: start > 0 };
  }
  const start = (indexOf('after_id') ?? -1) + 1;
  return { page: all.slice(start, start + limit), hasMore: start + limit < all.length };
};

const limitOf = (text: string | null): number => {
  if (text === null) return Number.POSITIVE_INFINITY;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1) return limit;
  throw new RouterError('invalid-request', 'limit: expected a whole number of 1 or more');
};
