import type { Scenario } from './scenario.ts';
import type { VirtualVendor } from './vendor.ts';

/**
 * What a strategy would do if it knew the truth: the share of each vendor, in pool order, in the requests that come now.
 * Undefined for a strategy whose choice does not follow from the pool alone, where limits hold vendors back, and while
 * nobody is up.
 */
export const idealShares = (
  strategy: Strategy,
  vendors: readonly VirtualVendor[],
  atMs: number,
): readonly number[] | undefined => {
  const up = vendors.map((vendor) => vendor.isEnabled && vendor.isUp(atMs));
  if (!up.includes(true) || vendors.some(({ rateLimit }) => rateLimit !== undefined)) return undefined;
  switch (strategy) {
    case 'priority': {
      const first = up.indexOf(true);
      return vendors.map((_, i) => (i === first ? 1 : 0));
    }
    case 'round-robin':
    case 'weighted-round-robin': {
      const shareOf = (weight: number): number => (strategy === 'round-robin' ? Math.sign(weight) : weight);
      const weights = vendors.map(({ weight }, i) => (up[i] ? shareOf(weight) : 0));
      const sum = weights.reduce((all, weight) => all + weight, 0);
      // A weight of 0 stands by: such vendors share the traffic when no other is up.
      const standIns = up.filter(Boolean).length;
      return sum > 0 ? weights.map((weight) => weight / sum) : up.map((isUp) => (isUp ? 1 / standIns : 0));
    }
    default:
      return undefined;
  }
};

type Strategy = NonNullable<NonNullable<Scenario['route']>['strategy']>;

export const strategyOf = ({ route }: Scenario): Strategy => route?.strategy ?? 'priority';
