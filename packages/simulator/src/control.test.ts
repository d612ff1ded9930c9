import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Simulator, startSimulator } from './simulator.ts';

let simulator: Simulator;

beforeAll(async () => {
  simulator = await startSimulator();
});

afterAll(() => simulator.close());

const control = async (method: string, path: string, body?: unknown): Promise<{ status?: number; body?: unknown }> => {
  const sent = typeof body === 'string' ? body : JSON.stringify(body);
  const request = new Request(`http://any.host${path}`, { method, ...(sent !== undefined && { body: sent }) });
  const response = await simulator.control(request);
  return response ? { status: response.status, body: await response.json() } : {};
};

describe('the control API', () => {
  test('shows the state of all vendors, or of one', async () => {
    const idle = { calls: 0, fault: null, lastCalls: [], url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) };
    expect(await control('GET', '/_simulator')).toEqual({
      status: 200,
      body: { vendors: { openai: idle, anthropic: idle, cohere: idle, google: idle } },
    });
    expect(await control('GET', '/_simulator/cohere')).toEqual({ status: 200, body: idle });
  });

  test('breaks a vendor, and heals it', async () => {
    const fault = { kind: 'status', status: 503, headers: { 'retry-after': '1' }, times: 3 };
    expect(await control('PUT', '/_simulator/openai', { fault })).toMatchObject({ status: 200, body: { fault } });
    expect(simulator.vendors.openai.fault).toEqual(fault);
    expect(await control('PUT', '/_simulator/openai', { fault: null })).toMatchObject({
      status: 200,
      body: { fault: null },
    });
    expect(simulator.vendors.openai.fault).toBeNull();
  });

  test('shows what became of a call', async () => {
    await fetch(`${simulator.vendors.google.url}/nowhere`);
    expect(await control('GET', '/_simulator/google')).toMatchObject({
      body: { calls: 1, lastCalls: [{ path: '/nowhere', outcome: 'rejected', status: 404, atMs: expect.any(Number) }] },
    });
  });

  test.each([
    ['{', 'the body must be a JSON object'],
    [[], 'the body must be a JSON object'],
    [{}, 'fault: must be a fault, or null to heal'],
    [{ fault: { kind: 'status', status: 'x' } }, 'fault.status: must be an integer from 200 to 599, got "x"'],
    [{ fault: null, time: 3 }, 'time: unknown field'],
  ])('answers 400 with the name of the field: %j', async (body, message) => {
    const expected = { status: 400, body: { error: { message: expect.stringContaining(message) } } };
    expect(await control('PUT', '/_simulator/openai', body)).toMatchObject(expected);
  });

  test('answers 404 for a vendor there is not, 405 for a method that makes no sense', async () => {
    expect(await control('PUT', '/_simulator/mistral', { fault: null })).toMatchObject({ status: 404 });
    expect(await control('DELETE', '/_simulator/openai')).toMatchObject({ status: 405 });
    expect(await control('POST', '/_simulator', {})).toMatchObject({ status: 405 });
  });

  test.each(['/', '/v1/chat/completions', '/_simulators', '/x/_simulator'])('leaves %s to others', async (path) => {
    expect(await control('GET', path)).toEqual({});
  });
});
