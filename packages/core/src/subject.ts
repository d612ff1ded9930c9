import type { CheckedRoute } from './config.ts';
import type { Course } from './decide/course.ts';
import { isEmbedding } from './decide/embedding.ts';
import { SMALL_TALK } from './demands.ts';

// What the user's own functions say of a request: whose it is, and what kind of work.

/** Names of tasks are kept with what is learned of them. */
const LONGEST_TASK = 100;

/** The user's own function, which may throw; what it names is a name or nothing. */
export const taskOf = ({ taskBy }: CheckedRoute, request: Course['request']): string | undefined => {
  // A probe is nobody's work.
  if (taskBy === undefined || isEmbedding(request) || request === SMALL_TALK) return undefined;
  try {
    const task: unknown = taskBy(request);
    return typeof task === 'string' && task !== '' && task.length <= LONGEST_TASK ? task : undefined;
  } catch {
    return undefined;
  }
};

/** What a caller says of whose a request is. */
interface Whose {
  readonly subject?: string | undefined;
  readonly httpRequest?: Request | undefined;
}

/** Who a request belongs to, where anybody says. */
export const subjectOf = ({ stickyBy }: CheckedRoute, { subject, httpRequest }: Whose): string | undefined => {
  const named: unknown = subject ?? (httpRequest && askWho(stickyBy, httpRequest));
  return typeof named === 'string' && named !== '' ? named : undefined;
};

/** The function is the user's own, and costs nobody an answer. */
const askWho = (stickyBy: CheckedRoute['stickyBy'], request: Request): unknown => {
  try {
    return stickyBy?.(request);
  } catch {
    return undefined;
  }
};
