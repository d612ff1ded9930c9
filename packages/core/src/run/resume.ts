import { estimateTokenCount } from 'tokenx';
import { continued, seamKindOf } from '../decide/continuation.ts';
import { FAILURE_RULES, type Failure } from '../decide/failure.ts';
import type { ChatRequest, Continuation } from '../decide/request.ts';
import { anchorOf, type Delivered, type SeamKind } from '../decide/seam.ts';
import type { EventStream } from '../packets.ts';
import { type OpenedStream, openStream } from './stream.ts';

/** The stream of a target, and what it was asked: the request, or to carry on. */
export interface Resumed extends OpenedStream {
  readonly asked: ChatRequest;
  readonly seam: SeamKind;
}

/** A target, as far as asking it goes. */
interface Successor {
  /** Whether its model is taken to go on from a turn that is not finished. */
  readonly prefill: boolean;
  stream(request: ChatRequest): EventStream;
  explain(error: unknown): Failure;
  /** Its model has refused such a turn, and takes the same in words. */
  refusesPrefill(): void;
}

/**
 * Asks a target for a stream, which is to carry on with what was delivered, if anything was. One that refuses a turn that is not finished is asked in words before
 * its error counts: it is the way of asking that it refused.
 */
export const resume = async (
  request: ChatRequest,
  delivered: Delivered | undefined,
  successor: Successor,
): Promise<Resumed> => {
  const text = delivered?.told ?? '';
  // White space alone is nothing to go on from.
  if (text === '') return ask(request, undefined, successor);
  if (successor.prefill) {
    try {
      return await ask(request, { how: 'prefill', text }, successor);
    } catch (error) {
      if (!isOfAsking(successor.explain(error))) throw error;
    }
  }
  const resumed = await ask(request, { how: 'instruction', text, anchor: anchorOf(text) }, successor);
  if (successor.prefill) successor.refusesPrefill();
  return resumed;
};

/** Refused for how it was asked, and not for how much, or for what. */
const isOfAsking = ({ kind }: Failure): boolean => kind === 'rejected' || kind === 'unsupported';

const ask = async (
  request: ChatRequest,
  continuation: Continuation | undefined,
  { stream }: Successor,
): Promise<Resumed> => {
  const asked = continuation === undefined ? request : continuedBy(request, continuation);
  return { ...(await openStream(stream(asked))), asked, seam: seamKindOf(continuation) };
};

const continuedBy = (request: ChatRequest, continuation: Continuation): ChatRequest => {
  const anchor = continuation.how === 'instruction' ? continuation.anchor : '';
  return continued(request, continuation, estimateTokenCount(continuation.text), estimateTokenCount(anchor));
};

/**
 * What a failure means to an answer that another target has begun. That one took the request, so that one who finds it
 * wrong speaks for itself alone, and the next may take it.
 */
export const ofSuccessor = (failure: Failure): Failure =>
  FAILURE_RULES[failure.kind].next === 'return' ? { ...failure, kind: 'unsupported' } : failure;
