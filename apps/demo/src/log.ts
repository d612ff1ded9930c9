import type { AttemptReport, RouterEvent } from '@switchyard/core';

/**
 * One line for each request, and one for each target that comes or goes:
 *
 *     chat: anthropic/claude-sonnet-5-5 answered after 231 ms, 2 attempts (openai/gpt-5-mini overloaded 503)
 *     openai/gpt-5-mini is left alone for 4.8 s: overloaded
 *     openai/gpt-5-mini is back
 *
 * Events know neither prompts nor answers, so none of them can end up here.
 */
export const createLog = (print: (line: string) => void): ((event: RouterEvent) => void) => {
  /** By request under way: what has failed so far. */
  const failedBy = new Map<string, AttemptReport[]>();

  const close = (requestId: string): string => {
    const failed = failedBy.get(requestId) ?? [];
    failedBy.delete(requestId);
    return failed.length === 0 ? '' : ` (${failed.map(describe).join(', ')})`;
  };

  return (event) => {
    switch (event.type) {
      case 'request-started':
        failedBy.set(event.requestId, []);
        break;
      case 'attempt-ended': {
        if (event.attempt.outcome === 'answered') break;
        const failed = failedBy.get(event.requestId);
        // Without an entry the request is answered: its stream broke off, or a probe went on beside it.
        if (failed === undefined)
          print(`${event.route}: afterwards ${describe(event.attempt)}, ${event.attempt.message}`);
        else failed.push(event.attempt);
        break;
      }
      case 'request-answered': {
        const { route, target, attempts, tookMs, requestId } = event;
        print(`${route}: ${target} answered after ${ms(tookMs)}, ${count(attempts)}${close(requestId)}`);
        break;
      }
      case 'request-failed': {
        const { route, code, attempts, tookMs, requestId } = event;
        print(`${route}: ${code} after ${ms(tookMs)}, ${count(attempts)}${close(requestId)}`);
        break;
      }
      case 'strategy-failed':
        print(`${event.route}: the order of the pool serves, since ${event.strategy} failed: ${event.problem}`);
        break;
      case 'request-resumed':
        print(
          `${event.route}: ${event.to} ${event.mode === 'continue' ? 'carries on for' : 'begins anew for'} ${event.from}` +
            `, ${event.deliveredCharacters} characters in`,
        );
        break;
      case 'feedback-received':
        print(`${event.route}: an answer of ${event.target} was scored ${event.score}`);
        break;
      case 'state-failed':
        print(`what is learned is not kept: ${event.problem}`);
        break;
      case 'target-suspected':
        print(`${event.target} is asked last: ${event.reason}${witness(event)}`);
        break;
      case 'target-cooled':
      case 'target-gated':
        print(
          `${event.target} is left alone for ${seconds(event.untilMs - event.atMs)}: ${event.reason}${witness(event)}`,
        );
        break;
      case 'target-recovered':
        print(`${event.target} is back${witness(event)}`);
        break;
    }
  };
};

const witness = ({ heard }: { readonly heard?: true }): string => (heard ? ', as another worker has seen' : '');

const describe = ({ target, outcome, status }: AttemptReport): string =>
  `${target} ${outcome}${status === undefined ? '' : ` ${status}`}`;

const count = (attempts: number): string => `${attempts} attempt${attempts === 1 ? '' : 's'}`;

const ms = (duration: number): string => `${Math.round(duration)} ms`;

const seconds = (duration: number): string => `${(duration / 1_000).toFixed(1)} s`;
