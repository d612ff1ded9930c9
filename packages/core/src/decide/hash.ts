/**
 * A number from 0 to 2^53 - 1 for a text, spread evenly; another `seed`, which may be an earlier hash, gives numbers that have
 * nothing to do with it. For tables and shares, not for secrets: whoever wants two texts of one hash finds them.
 *
 * O(length), no allocation. Source: bryc, cyrb53, 2018, public domain; the end of each half is that of MurmurHash3.
 */
export const hashOf = (text: string, seed = 0): number => {
  let low = 0xdeadbeef ^ seed;
  let high = 0x41c6ce57 ^ (seed / TWO_32);
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    low = Math.imul(low ^ unit, 2_654_435_761);
    high = Math.imul(high ^ unit, 1_597_334_677);
  }
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  return TWO_32 * (high & 0x1f_ffff) + (low >>> 0);
};

const TWO_32 = 2 ** 32;
