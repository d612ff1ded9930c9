import type { AttemptReport, Cost, Served, SkippedTarget } from '@switchyard/core';
import type { Format } from './format.ts';

type Trail = Pick<Served, 'attempts' | 'skipped' | 'assigned'> & {
  readonly requestId?: string | undefined;
  readonly target?: Served['target'];
  readonly tookMs?: number;
  readonly cost?: Served['cost'];
};

/** What a request is called, for the headers of its answer. */
export const requestHeaders = (
  requestId: string | undefined,
  { requestIdHeader }: Pick<Format, 'requestIdHeader'>,
): Record<string, string> => {
  if (requestId === undefined) return {};
  return { 'x-switchyard-request': requestId, ...(requestIdHeader !== undefined && { [requestIdHeader]: requestId }) };
};

/** Who served a request, for the headers of its answer; of a failure, who was asked. */
export const servedHeaders = (
  { requestId, target, assigned, attempts, skipped, tookMs, cost }: Trail,
  format: Pick<Format, 'requestIdHeader'> = {},
): Record<string, string> => {
  const headers: Record<string, string> = {
    'x-switchyard-attempts': String(attempts.length),
    ...requestHeaders(requestId, format),
  };
  if (target !== undefined) headers['x-switchyard-target'] = plain(target.id);
  if (assigned !== undefined) headers['x-switchyard-assigned'] = plain(assigned);
  const trace = [...attempts.map(attemptItem), ...skipped.map(skippedItem)];
  if (trace.length > 0) headers['x-switchyard-trace'] = trace.join(', ');
  if (cost?.usd !== undefined) headers['x-switchyard-cost'] = usdText(cost.usd);
  if (cost !== undefined && cost.failedUsd > 0) headers['x-switchyard-cost-failed'] = usdText(cost.failedUsd);
  if (cost !== undefined && cost.hedgedUsd > 0) headers['x-switchyard-cost-hedged'] = usdText(cost.hedgedUsd);
  const last = attempts.at(-1);
  if (tookMs !== undefined && last !== undefined) {
    // Ours is what the caller waited beyond the attempts: they follow one another without a gap, but for hedges.
    const upstream = attempts.reduce((sum, attempt) => sum + attempt.tookMs, 0);
    const own = Math.max(0, tookMs - upstream);
    headers['server-timing'] = `upstream;dur=${upstream.toFixed(1)}, switchyard;dur=${own.toFixed(1)}`;
  }
  return headers;
};

/** Who counted the tokens of a prompt, or that they are an estimate. */
export const countHeaders = (target: Served['target'] | undefined): Record<string, string> =>
  target === undefined ? { 'x-switchyard-estimate': 'tokens' } : { 'x-switchyard-target': plain(target.id) };

/** One item of a structured header: `openai/gpt-5-mini;outcome=overloaded;status=503;ms=12`. */
const attemptItem = ({ target, outcome, status, tookMs, affinity, usd, estimated, dropped }: AttemptReport): string =>
  [
    plain(target),
    `outcome=${outcome}`,
    ...(status === undefined ? [] : [`status=${status}`]),
    `ms=${Math.round(tookMs)}`,
    ...(affinity === undefined ? [] : ['affinity']),
    // What failed for nothing need not say so.
    ...(usd === undefined || (usd === 0 && outcome !== 'answered') ? [] : [`usd=${usdText(usd)}`]),
    ...(estimated === true ? ['estimated'] : []),
    ...(dropped === undefined ? [] : [`dropped=${quoted(dropped.join(' '))}`]),
  ].join(';');

const skippedItem = ({ target, reason }: SkippedTarget): string => `${plain(target)};skipped=${quoted(reason)}`;

/**
 * The last line of a stream that has a price, after all that clients read: a comment, which none of them takes for an event.
 * Headers are gone by then.
 */
export const costComment = ({ usd, failedUsd, hedgedUsd, estimated }: Cost): Uint8Array | undefined => {
  const items = [
    ...(usd === undefined ? [] : [`cost=${usdText(usd)}`]),
    ...(failedUsd > 0 ? [`failed=${usdText(failedUsd)}`] : []),
    ...(hedgedUsd > 0 ? [`hedged=${usdText(hedgedUsd)}`] : []),
  ];
  if (items.length === 0) return undefined;
  return encoder.encode(`: switchyard ${items.join(' ')}${estimated ? ' estimated' : ''}\n\n`);
};

const encoder = new TextEncoder();

/** US dollars with six digits that count, and never as 1e-7. */
const usdText = (usd: number): string => {
  const decimals = usd > 0 ? Math.min(20, Math.max(0, 5 - Math.floor(Math.log10(usd)))) : 0;
  return usd
    .toFixed(decimals)
    .replace(/(\.\d*?)0+$/, '$1')
    .replace(/\.$/, '');
};

/** An id that was not chosen has the vendor's name of the model in it, which may be anything. */
export const plain = (id: string): string => id.replace(/[^\x21-\x7e]|[",;\\]/gu, '?');

/** Field names come from callers: nothing but printable ASCII may reach a header. */
const quoted = (text: string): string => `"${text.replace(/[^\x20-\x7e]|["\\]/gu, '?').slice(0, 200)}"`;
