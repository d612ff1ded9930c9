import { newObservation, newPickContext, type Writable } from './scratch.ts';
import {
  type Feedback,
  has,
  MOST_TARGETS,
  type Observation,
  type PickContext,
  type Picker,
  pickFrom,
  type Strategy,
  type StrategyPool,
  type StrategyReport,
  type StrategyTarget,
} from './strategy.ts';

/** Entries of a pool that stand for one, with a strategy of their own. The pool of a route is the outermost. */
export interface Group {
  readonly id: string;
  readonly weight: number;
  readonly strategy: Strategy;
  /** In order. A number is a target, by its index in the flat pool. */
  readonly entries: readonly (number | Group)[];
}

/**
 * The strategy of a pool that may have groups in it. An outer strategy chooses among the entries of its pool, where a group
 * is a candidate as long as one of its targets is; then the group's own strategy chooses among its entries. Each
 * learns from the attempts at its own entries, by their indices.
 *
 * O(n) per pick at each level, no allocation.
 */
export const grouped = (root: Group): Strategy => {
  if (root.entries.every((entry) => typeof entry === 'number')) return root.strategy;
  return { name: root.strategy.name, forPool: (pool) => pickerOf(nodeOf(root, pool)) };
};

/** The ids of the groups that a target is in, the outermost first; without that of the route's own pool. */
export const groupsOf = ({ entries }: Group, target: number): readonly string[] | undefined => {
  for (const entry of entries) {
    if (entry === target) return [];
    const inner = typeof entry === 'number' ? undefined : groupsOf(entry, target);
    if (inner !== undefined) return [(entry as Group).id, ...inner];
  }
  return undefined;
};

/** One group at work. */
interface Node {
  readonly id: string;
  /** By entry: a bit for each target that is it, or is in it. */
  readonly masks: Int32Array;
  /** By entry: the target that it is, or -1. */
  readonly targets: Int32Array;
  /** By entry: the group that it is. */
  readonly groups: readonly (Node | undefined)[];
  /** By target: the entry that it is, or is in, or -1. */
  readonly entryOf: Int8Array;
  readonly picker: Picker;
  readonly scratch: Scratch;
}

/** What each call fills anew. */
interface Scratch {
  readonly context: Writable<PickContext>;
  readonly observation: Writable<Observation>;
  readonly health: Float64Array;
}

const newScratch = (entries: number): Scratch => ({
  context: newPickContext(),
  observation: newObservation(),
  health: new Float64Array(entries),
});

const nodeOf = ({ id, strategy, entries }: Group, { route, targets, dice, saved }: StrategyPool): Node => {
  const savedGroups = fieldOf(saved, 'groups');
  const groups = entries.map((entry) =>
    typeof entry === 'number'
      ? undefined
      : nodeOf(entry, { route, targets, dice, saved: fieldOf(savedGroups, entry.id) }),
  );
  const masks = Int32Array.from(entries, (entry, i) =>
    typeof entry === 'number' ? 1 << entry : (groups[i] as Node).masks.reduce((all, mask) => all | mask, 0),
  );
  const described = entries.map((entry) =>
    typeof entry === 'number' ? (targets[entry] as StrategyTarget) : asTarget(entry),
  );
  return {
    id,
    masks,
    targets: Int32Array.from(entries, (entry) => (typeof entry === 'number' ? entry : -1)),
    groups,
    entryOf: Int8Array.from({ length: MOST_TARGETS }, (_, target) => masks.findIndex((mask) => has(mask, target))),
    picker: strategy.forPool({ route, targets: described, dice, saved: fieldOf(saved, 'strategy') }),
    scratch: newScratch(entries.length),
  };
};

/** A group, to the strategy that chooses it: its targets may be of many vendors and prices, and it is of none. */
const asTarget = ({ id, weight }: Group): StrategyTarget => ({
  id,
  vendor: '',
  model: '',
  weight,
  price: undefined,
  contextWindow: undefined,
});

const pickerOf = (root: Node): Picker => ({
  takesTurns: root.picker.takesTurns ?? false,
  pick: (context) => pickIn(root, context),
  copy: () => pickerOf(copyOf(root)),
  report: (target, nowMs) => reportIn(root, target, nowMs),
  ...(some(root, ({ picker }) => picker.observe !== undefined) && {
    observe: (observation) => observeIn(root, observation),
  }),
  ...(some(root, ({ picker }) => picker.feedback !== undefined) && {
    feedback: (feedback) => feedbackIn(root, feedback),
  }),
  ...(some(root, ({ picker }) => picker.save !== undefined) && { save: () => saveOf(root) }),
  ...assigning(root.picker),
});

/** Subjects belong to an entry of the outermost pool: what is inside of a group is its own affair. */
const assigning = (picker: Picker): Pick<Picker, 'assign'> => {
  const { assign } = picker;
  return assign === undefined ? {} : { assign: (subject, entries) => assign.call(picker, subject, entries) };
};

const some = (node: Node, is: (node: Node) => boolean): boolean =>
  is(node) || node.groups.some((group) => group !== undefined && some(group, is));

const pickIn = ({ masks, targets, groups, picker, scratch }: Node, context: PickContext): number => {
  const { context: inner, health } = scratch;
  inner.candidates = 0;
  inner.able = 0;
  inner.health = undefined;
  for (let i = 0; i < masks.length; i++) {
    const mask = masks[i] ?? 0;
    const candidates = mask & context.candidates;
    const able = mask & context.able;
    if (candidates !== 0) inner.candidates |= 1 << i;
    if (able !== 0) inner.able |= 1 << i;
    health[i] = able === 0 ? 0 : countOf(candidates & able) / countOf(able);
    if (groups[i] !== undefined) inner.health = health;
  }
  inner.order = undefined;
  inner.request = context.request;
  inner.attempt = context.attempt;
  inner.streaming = context.streaming;
  inner.inputTokens = context.inputTokens;
  inner.maxOutputTokens = context.maxOutputTokens;
  inner.subject = context.subject;
  inner.task = context.task;
  inner.nowMs = context.nowMs;
  inner.dice = context.dice;
  const picked = pickFrom(picker, inner);
  if (picked < 0) return -1;
  const group = groups[picked];
  return group === undefined ? (targets[picked] ?? -1) : pickIn(group, context);
};

const observeIn = ({ entryOf, groups, picker, scratch }: Node, observation: Observation): void => {
  const entry = entryOf[observation.target] ?? -1;
  const group = groups[entry];
  try {
    if (picker.observe !== undefined) {
      const { observation: inner } = scratch;
      inner.type = observation.type;
      inner.target = entry;
      inner.role = observation.role;
      inner.nowMs = observation.nowMs;
      inner.ageMs = observation.ageMs;
      inner.contentMs = observation.contentMs;
      inner.readMs = observation.readMs;
      inner.streaming = observation.streaming;
      inner.inputTokens = observation.inputTokens;
      inner.maxOutputTokens = observation.maxOutputTokens;
      inner.subject = observation.subject;
      inner.task = observation.task;
      inner.usage = observation.usage;
      inner.failure = observation.failure;
      picker.observe(inner);
    }
  } finally {
    // Also after one that throws: the groups within have done nothing wrong.
    if (group !== undefined) observeIn(group, observation);
  }
};

const feedbackIn = ({ entryOf, groups, picker }: Node, feedback: Feedback): void => {
  const entry = entryOf[feedback.target] ?? -1;
  const group = groups[entry];
  try {
    picker.feedback?.({ ...feedback, target: entry });
  } finally {
    if (group !== undefined) feedbackIn(group, feedback);
  }
};

/** What is believed of a target by its own group, and of the groups that it is in by those around them, as `group.field`. */
const reportIn = ({ entryOf, groups, picker }: Node, target: number, nowMs: number): StrategyReport | undefined => {
  const entry = entryOf[target] ?? -1;
  const group = groups[entry];
  const own = picker.report?.(entry, nowMs);
  if (group === undefined) return own;
  const inner = reportIn(group, target, nowMs);
  if (own === undefined) return inner;
  return {
    ...Object.fromEntries(Object.entries(own).map(([name, value]) => [`${group.id}.${name}`, value])),
    ...inner,
  };
};

const saveOf = ({ groups, picker }: Node): unknown => ({
  strategy: picker.save?.(),
  groups: Object.fromEntries(groups.flatMap((group) => (group === undefined ? [] : [[group.id, saveOf(group)]]))),
});

const copyOf = (node: Node): Node => ({
  ...node,
  groups: node.groups.map((group) => group && copyOf(group)),
  picker: node.picker.copy?.() ?? node.picker,
  scratch: newScratch(node.masks.length),
});

/** Of something that an earlier process left, and that may be anything. */
const fieldOf = (saved: unknown, name: string): unknown =>
  typeof saved === 'object' && saved !== null && Object.hasOwn(saved, name)
    ? (saved as Readonly<Record<string, unknown>>)[name]
    : undefined;

/** Bits that are set. Source: Warren, "Hacker's Delight", 5-1. */
const countOf = (mask: number): number => {
  let bits = mask - ((mask >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
};
