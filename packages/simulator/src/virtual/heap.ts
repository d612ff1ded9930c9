/** Something that is to happen at a given time. */
export interface Appointment {
  readonly atMs: number;
  /** Of two at the same time, the one that was made first happens first. */
  readonly order: number;
  /** Undefined once it has been called off. */
  run: (() => void) | undefined;
}

/**
 * Appointments, earliest first: a binary heap. What is called off stays in it until its time and is then passed over,
 * which is cheaper than looking for it: a router calls off nearly every timer it sets.
 */
export class Heap {
  readonly #items: Appointment[] = [];
  #made = 0;

  get size(): number {
    return this.#items.length;
  }

  add(atMs: number, run: () => void): Appointment {
    const item: Appointment = { atMs, order: this.#made++, run };
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above] as Appointment;
      if (isBefore(parent, item)) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
    return item;
  }

  /** Removes the earliest appointment that still stands. */
  take(): Appointment | undefined {
    for (;;) {
      const first = this.#removeFirst();
      if (first === undefined || first.run !== undefined) return first;
    }
  }

  #removeFirst(): Appointment | undefined {
    const items = this.#items;
    const first = items[0];
    const last = items.pop();
    if (last === undefined || first === last) return first;
    const { length } = items;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= length) break;
      if (below + 1 < length && isBefore(items[below + 1] as Appointment, items[below] as Appointment)) below += 1;
      const child = items[below] as Appointment;
      if (isBefore(last, child)) break;
      items[at] = child;
      at = below;
    }
    items[at] = last;
    return first;
  }
}

const isBefore = (a: Appointment, b: Appointment): boolean =>
  a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
