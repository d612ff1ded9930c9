import { PARTS, type Part, packageOf, partOf } from './parts.ts';

// Samples of a CPU profile, put together by what they have in common: the same callers, from the outermost one on.

/** What V8's profiler writes, as far as it is used here. Times are in µs. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[] | undefined;
  }[];
  /** The node that was running, sample by sample. */
  readonly samples?: readonly number[] | undefined;
  /** From the sample before. */
  readonly timeDeltas?: readonly number[] | undefined;
}

/** A function under one chain of callers. */
export interface Stack {
  /** With its package. */
  readonly name: string;
  readonly part: Part;
  /** In it, and in what it calls, in µs. */
  readonly totalUs: number;
  /** In itself. */
  readonly selfUs: number;
  /** Largest first. */
  readonly calls: readonly Stack[];
}

/** No work of the server: it waited for a socket or a timer, or the profile was started. */
const isNone = ({ callFrame: { functionName, url } }: Node): boolean =>
  functionName === '(idle)' || url.endsWith('/probe.ts');

type Node = CpuProfile['nodes'][number];

const nameOf = ({ callFrame: { functionName, url, lineNumber } }: Node): string => {
  if (functionName === '(program)') return 'system calls and native code';
  // Nothing else tells two functions without a name apart.
  const name = functionName || `(anonymous) ${url.split('/').at(-1)}:${lineNumber + 1}`;
  const from = packageOf(url);
  return from === '' ? name : `${name} ${from}`;
};

/** The whole profile as one tree. Functions of one name in one package under the same callers are one, and idle time is none. */
export const stacksOf = ({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Stack => {
  const selfUs = new Map<number, number>();
  samples.forEach((id, i) => {
    selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[i] ?? 0));
  });
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const childrenOf = (node: Node): readonly Node[] =>
    (node.children ?? []).flatMap((id) => {
      const child = byId.get(id);
      return child === undefined || isNone(child) ? [] : [child];
    });
  const merged = (name: string, part: Part, same: readonly Node[]): Stack => {
    const groups = Map.groupBy(same.flatMap(childrenOf), nameOf);
    const calls = [...groups].map(([callee, group]) => {
      const { functionName = '', url = '' } = group[0]?.callFrame ?? {};
      return merged(callee, partOf(functionName, url, part), group);
    });
    calls.sort((a, b) => b.totalUs - a.totalUs);
    const own = same.reduce((sum, { id }) => sum + (selfUs.get(id) ?? 0), 0);
    return { name, part, selfUs: own, totalUs: calls.reduce((sum, { totalUs }) => sum + totalUs, own), calls };
  };
  return merged('all', 'Node', nodes.slice(0, 1));
};

/** What each part takes by itself, of the whole, 0 to 1. */
export const sharesOf = (all: Stack): ReadonlyMap<Part, number> => {
  const shares = new Map<Part, number>(PARTS.map((part) => [part, 0]));
  const add = ({ part, selfUs, calls }: Stack): void => {
    if (all.totalUs > 0) shares.set(part, (shares.get(part) ?? 0) + selfUs / all.totalUs);
    calls.forEach(add);
  };
  add(all);
  return shares;
};
