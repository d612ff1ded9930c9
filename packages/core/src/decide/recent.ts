/** Something for each of the last `most` keys that were set: whoever was not set for longest makes way. */
export class Recent<Key, Value> {
  readonly #most: number;
  readonly #items = new Map<Key, Value>();

  constructor(most: number) {
    this.#most = most;
  }

  get(key: Key): Value | undefined {
    return this.#items.get(key);
  }

  set(key: Key, value: Value): void {
    // A map keeps the order in which keys came.
    this.#items.delete(key);
    this.#items.set(key, value);
    if (this.#items.size <= this.#most) return;
    for (const oldest of this.#items.keys()) {
      this.#items.delete(oldest);
      return;
    }
  }

  delete(key: Key): void {
    this.#items.delete(key);
  }
}
