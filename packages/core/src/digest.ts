/**
 * The first half of the SHA-256 of a text, as 32 hexadecimal digits: names for what is filed under a key or an address, from which
 * neither can be read. Here rather than from the runtime, since what all runtimes have answers only later.
 */
export const digestOf = (text: string): string => {
  const words = padded(new TextEncoder().encode(text));
  made ??= constants();
  const { start, rounds } = made;
  const state = Uint32Array.from(start);
  const w = new Uint32Array(64);
  for (let block = 0; block < words.length; block += 16) {
    w.set(words.subarray(block, block + 16));
    for (let i = 16; i < 64; i++) {
      const [a, b] = [at(w, i - 15), at(w, i - 2)];
      const low = turned(a, 7) ^ turned(a, 18) ^ (a >>> 3);
      const high = turned(b, 17) ^ turned(b, 19) ^ (b >>> 10);
      w[i] = at(w, i - 16) + low + at(w, i - 7) + high;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let i = 0; i < 64; i++) {
      const choice = (e & f) ^ (~e & g);
      const majority = (a & b) ^ (a & c) ^ (b & c);
      const one = (h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + choice + at(rounds, i) + at(w, i)) | 0;
      const other = ((turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + majority) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + other) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => {
      state[i] = at(state, i) + word;
    });
  }
  return Array.from(state.subarray(0, 4), (word) => word.toString(16).padStart(8, '0')).join('');
};

/** The text's bytes as words, a one behind them, and their number of bits at the end of the last block. */
const padded = (bytes: Uint8Array): Uint32Array => {
  const words = new Uint32Array(16 * Math.ceil((bytes.length + 9) / 64));
  const set = (i: number, byte: number): void => {
    words[i >> 2] = at(words, i >> 2) | (byte << (24 - 8 * (i & 3)));
  };
  for (const [i, byte] of bytes.entries()) set(i, byte);
  set(bytes.length, 0x80);
  words[words.length - 1] = 8 * bytes.length;
  return words;
};

const at = (words: Uint32Array, i: number): number => words[i] ?? 0;

const turned = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The first 32 bits behind the point: of the square roots of the first eight primes, and of the cube roots of the first 64. */
const constants = (): { readonly start: Uint32Array; readonly rounds: Uint32Array } => {
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime !== 0)) primes.push(n);
  const fraction = (x: number): number => Math.floor((x % 1) * 2 ** 32);
  return {
    start: Uint32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime))),
    rounds: Uint32Array.from(primes, (prime) => fraction(Math.cbrt(prime))),
  };
};

/** Made when they are first needed: most routers have no store. */
let made: ReturnType<typeof constants> | undefined;
