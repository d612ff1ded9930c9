/** What the strategies of a router have learned, as small JSON: for the next process. */
export interface RouterState {
  readonly version: 1;
  /** By route; only where the strategy has something to keep. */
  readonly routes: Readonly<Record<string, RouteState>>;
}

export interface RouteState {
  /** What another strategy has saved is nothing to this one. */
  readonly strategy: string;
  /** By target ids. Those of targets that are no more are passed over. */
  readonly saved: unknown;
}

/** Whether it is what `saveState` gives; what the strategies have put into it is for them to judge. */
export const isRouterState = (value: unknown): value is RouterState =>
  isObject(value) &&
  value.version === 1 &&
  isObject(value.routes) &&
  Object.values(value.routes).every((route) => isObject(route) && typeof route.strategy === 'string');

/** What a route's strategy has left, if it was this one. */
export const savedFor = (
  state: RouterState | undefined,
  { name, strategy }: { readonly name: string; readonly strategy: { readonly name: string } },
): unknown => {
  const left = state !== undefined && Object.hasOwn(state.routes, name) ? state.routes[name] : undefined;
  return left?.strategy === strategy.name ? left.saved : undefined;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
