import type { CheckedRoute, CheckedTarget } from './config.ts';
import type { Course } from './decide/course.ts';
import { isEmbedding, newVectorSpace, type VectorSpace } from './decide/embedding.ts';

// Which targets make embeddings, and in which vector space: vectors of two spaces must never meet.

/** The spaces of a router by name: what one route has seen of a space holds in all. */
export const spacesOf = (routes: readonly CheckedRoute[]): ReadonlyMap<string, VectorSpace> => {
  const spaces = new Map<string, VectorSpace>();
  for (const { targets } of routes) {
    for (const { space } of targets) {
      if (space !== undefined && !spaces.has(space)) spaces.set(space, newVectorSpace(space));
    }
  }
  return spaces;
};

/** The one vector space of a route, if it makes embeddings; `checkConfig` has seen to it that there are no two. */
export const spaceOf = ({ targets }: CheckedRoute): string | undefined =>
  targets.find(({ space }) => space !== undefined)?.space;

/** Why a target is not for this kind of request, whatever it asks for; undefined when it is. */
export const unfitFor = ({ space }: CheckedTarget, request: Course['request']): string | undefined => {
  if (isEmbedding(request)) return space === undefined ? 'declares no vector space' : undefined;
  return space === undefined ? undefined : 'makes embeddings';
};

/** What to say where no target of a route is for this kind of request; undefined where one is. */
export const wrongRouteFor = (route: CheckedRoute, request: Course['request']): string | undefined => {
  if (route.targets.some((target) => unfitFor(target, request) === undefined)) return undefined;
  return isEmbedding(request)
    ? `Route '${route.name}' makes no embeddings: none of its targets declares a vector space. Give those that make them a \`space\`, such as 'text-embedding-3-small@1536'.`
    : `Route '${route.name}' makes embeddings only: each of its targets declares a vector space. Ask another route, or add a target without \`space\`.`;
};

/** Two spaces in one pool would be a fallback from one into the other. */
export const checkSpaces = (
  targets: readonly { readonly space: string | undefined; readonly path: string }[],
  problems: string[],
): void => {
  const first = targets.find(({ space }) => space !== undefined);
  if (first === undefined) return;
  for (const { space, path } of targets) {
    if (space === undefined || space === first.space) continue;
    problems.push(
      `${path}.space: '${space}' is another vector space than '${first.space}' of ${first.path}.space, and vectors of two spaces must not be mixed; give each its own route`,
    );
  }
};
