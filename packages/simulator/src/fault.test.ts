import { describe, expect, test } from 'vitest';
import { seededDice } from './dice.ts';
import { FAULT_KINDS, type Fault, type FaultState, parseFault, strike } from './fault.ts';

const state = (fault: Fault | null): FaultState => ({ fault, sinceMs: 1_000 });
const never = (): number => {
  throw new Error('no dice are thrown');
};

describe('a fault', () => {
  test('strikes every call until it is healed', () => {
    const broken = state({ kind: 'reset' });
    expect(strike(broken, 1_000, never)).toEqual({ effect: { kind: 'reset' }, state: broken });
    expect(strike(state(null), 1_000, never).effect).toBeNull();
  });

  test('heals by itself after as many strikes as it was given', () => {
    const once = strike(state({ kind: 'reset', times: 2 }), 0, never);
    expect(once.state.fault).toEqual({ kind: 'reset', times: 1 });
    const twice = strike(once.state, 0, never);
    expect(twice.effect?.kind).toBe('reset');
    expect(twice.state.fault).toBeNull();
  });

  test('strikes with its probability: 0.3 of 10 000 calls, ± 0.02', () => {
    const dice = seededDice(1);
    const broken = state({ kind: 'reset', probability: 0.3 });
    const struck = Array.from({ length: 10_000 }, () => strike(broken, 0, dice).effect).filter(Boolean);
    expect(struck.length / 10_000).toBeGreaterThan(0.28);
    expect(struck.length / 10_000).toBeLessThan(0.32);
  });

  test('does not use up its times while the dice spare a call', () => {
    const broken = state({ kind: 'reset', probability: 0.5, times: 1 });
    expect(strike(broken, 0, () => 0.5)).toEqual({ effect: null, state: broken });
    expect(strike(broken, 0, () => 0.49).state.fault).toBeNull();
  });

  test('comes and goes when it flaps, from when it was set', () => {
    const flapping = state({ kind: 'flap', onMs: 10, offMs: 20, fault: { kind: 'reset' } });
    const kinds = [1_000, 1_009, 1_010, 1_029, 1_030, 1_040].map((now) => strike(flapping, now, never).effect?.kind);
    expect(kinds).toEqual(['reset', 'reset', undefined, undefined, 'reset', undefined]);
  });

  test('flaps with a 503 unless it is told otherwise', () => {
    expect(strike(state({ kind: 'flap', onMs: 1, offMs: 1 }), 1_000, never).effect).toEqual({
      kind: 'status',
      status: 503,
    });
  });
});

describe('a fault that arrives as JSON', () => {
  test.each<Fault>([
    { kind: 'status', status: 429, headers: { 'x-a': 'b' }, body: { a: 1 }, times: 3, probability: 0.5 },
    { kind: 'status', status: 429, retryAfter: { form: 'http-date', ms: 1_500 } },
    { kind: 'refuse' },
    { kind: 'slow-first-token', ms: 100 },
    { kind: 'slow', factor: 2.5 },
    { kind: 'cut', afterEvents: 0, insideEvent: true },
    { kind: 'flap', onMs: 10, offMs: 0, fault: { kind: 'status', status: 500 }, times: 2 },
  ])('is taken as it is: %j', (fault) => {
    expect(parseFault(structuredClone(fault), 'openai')).toEqual(fault);
  });

  test('may be of any kind there is', () => {
    expect(FAULT_KINDS).toHaveLength(19);
  });

  test.each([
    [undefined, 'fault: must be an object, got nothing'],
    [{}, "fault.kind: must be one of 'status', 'refuse', "],
    [{ kind: 'status' }, 'fault.status: must be an integer from 200 to 599, got nothing'],
    [{ kind: 'status', status: '503' }, 'fault.status: must be an integer from 200 to 599, got "503"'],
    [{ kind: 'status', status: 503, headers: { a: 1 } }, 'fault.headers.a: must be a string, got 1'],
    [{ kind: 'status', status: 503, headers: { a: 'b\n' } }, 'fault.headers.a: must be a header that HTTP allows'],
    [
      { kind: 'status', status: 429, retryAfter: { form: 'weeks' } },
      "fault.retryAfter.form: must be one of 'seconds', ",
    ],
    [
      { kind: 'status', status: 429, retryAfter: { form: 'retry-info', ms: 1 } },
      'fault.retryAfter.form: must be one of ',
    ],
    [{ kind: 'slow' }, 'fault.factor: must be a number of at least 0, got nothing'],
    [{ kind: 'cut', afterEvents: -1 }, 'fault.afterEvents: must be an integer of at least 0, got -1'],
    [{ kind: 'reset', times: 0 }, 'fault.times: must be an integer of at least 1, got 0'],
    [{ kind: 'reset', probability: 2 }, 'fault.probability: must be a number from 0 to 1, got 2'],
    [{ kind: 'reset', tmes: 2 }, "fault.tmes: 'reset' has no such field, got 2; it has kind, times, probability"],
    [{ kind: 'refuse', times: 2 }, "fault.times: a refused call cannot be counted; use 'reset'"],
    [{ kind: 'flap', onMs: 0, offMs: 1 }, 'fault.onMs: must be a number of at least 1, got 0'],
    [{ kind: 'flap', onMs: 1, offMs: 1, fault: { kind: 'slow' } }, 'fault.fault.factor: must be a number'],
    [{ kind: 'flap', onMs: 1, offMs: 1, fault: { kind: 'refuse' } }, "fault.fault.kind: 'refuse' cannot flap"],
    [{ kind: 'flap', onMs: 1, offMs: 1, fault: { kind: 'reset', times: 1 } }, 'fault.fault.times: belongs to the flap'],
  ])('is refused with the name of the bad field: %j', (fault, message) => {
    const parse = () => parseFault(fault, 'openai');
    expect(parse).toThrow(TypeError);
    expect(parse).toThrow(message);
  });
});
