import type { CheckedRoute, CheckedTarget } from './config.ts';
import type { Course } from './decide/course.ts';
import { type EmbeddingRequest, isEmbedding } from './decide/embedding.ts';
import { forgetOld } from './decide/health/learned-window.ts';
import type { Member, Pool } from './decide/pool.ts';
import type { ChatRequest, ChatSettings } from './decide/request.ts';
import { lackOf, promptOf } from './decide/requirements.ts';
import { contentsOf, embeddingTokens, needOf } from './decide/tokens.ts';
import { RouterError } from './errors.ts';
import type { Gap } from './provider.ts';
import { missing, type Way } from './way.ts';

// What each target is asked, and what that takes: known before anybody is asked.

/** What a request is going to take, whatever it is for. */
interface Demands extends Pick<Course, 'need' | 'reasoning' | 'prompts'>, Pick<Way, 'gaps' | 'lacks'> {
  /** An estimate. */
  readonly inputTokens: number;
}

export const demandsOfChat = (
  route: CheckedRoute,
  { members }: Pool,
  request: ChatRequest,
  streams: boolean,
  nowMs: number,
): Demands => {
  checkOverrides(route, request);
  const contents = contentsOf(request);
  const demands = route.targets.map((target, i) => {
    const { provider, supports, contextWindow } = target;
    const { window: learned } = (members[i] as Member).health;
    forgetOld(learned, nowMs);
    const asked = askedOf(request, target);
    const { messages, tools, output } = asked;
    const isSame = messages === request.messages && tools === request.tools && output === request.output;
    const held = isSame ? contents : contentsOf(asked);
    const prompt = promptOf(held, asked, provider.countsAnswer === true);
    const offer = { supports, contextWindow, learned };
    return {
      prompt,
      gaps: provider.gaps(asked),
      lack: lackOf({ request: asked, contents: held, prompt, streams }, offer),
    };
  });
  return {
    gaps: demands.map(({ gaps }) => gaps),
    lacks: demands.map(({ lack }) => lack),
    prompts: demands.map(({ prompt }) => prompt),
    reasoning: thinks(request) || Object.values(request.overrides ?? NO_OVERRIDES).some(thinks),
    inputTokens: contents.estimatedTokens,
    need: needOf(contents.estimatedTokens, request),
  };
};

export const demandsOfEmbedding = ({ targets }: CheckedRoute, request: EmbeddingRequest): Demands => {
  const inputTokens = embeddingTokens(request);
  return {
    gaps: targets.map(({ provider }) => provider.embeddings?.gaps(request) ?? []),
    // A window is for each input by itself.
    lacks: [],
    prompts: [],
    reasoning: false,
    inputTokens,
    need: needOf(inputTokens, { maxOutputTokens: 0 }),
  };
};

/** A request that asks for nothing is a mistake. */
export const checkSubstance = (request: Course['request']): void => {
  const [field, items, item] = isEmbedding(request)
    ? (['inputs', request.inputs, 'input'] as const)
    : (['messages', request.messages, 'message'] as const);
  if (!Array.isArray(items) || items.length === 0) {
    throw new RouterError('invalid-request', `${field}: expected at least one ${item}`);
  }
};

export const thinks = ({ reasoningEffort = 'none' }: ChatSettings = {}): boolean =>
  reasoningEffort !== 'none' && reasoningEffort !== 'minimal';

/** What a target is asked: the request, or what is meant for this target alone, with the target's own settings over it. */
export const askedOf = (request: ChatRequest, { id, provider, params }: CheckedTarget): ChatRequest => {
  const { overrides = NO_OVERRIDES } = request;
  const asked = overrides[id] ?? overrides[provider.model] ?? request;
  return params === undefined ? asked : { ...asked, ...params };
};

const NO_OVERRIDES: NonNullable<ChatRequest['overrides']> = {};

/** An override that meets nobody is a mistake, and would be missed only in the answer. */
const checkOverrides = ({ name, targets }: CheckedRoute, { overrides = NO_OVERRIDES }: ChatRequest): void => {
  for (const key of Object.keys(overrides)) {
    if (targets.some(({ id, provider }) => id === key || provider.model === key)) continue;
    const there = targets.map(({ id }) => id).join(', ');
    throw new RouterError(
      'invalid-request',
      `overrides.${key}: route '${name}' has no target and no model of this name; there is ${there}`,
    );
  }
};

export const isAble = ({ enabled, unsupported }: CheckedTarget, gaps: readonly Gap[] = []): boolean =>
  enabled && (unsupported === 'drop' || missing(gaps).length === 0);

/** What a probe asks: as little as it takes to see an answer begin. */
export const SMALL_TALK: ChatRequest = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  maxOutputTokens: 1,
};

export const SMALL_TEXT: EmbeddingRequest = { inputs: ['Hi'] };
