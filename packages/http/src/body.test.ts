import { expect, test } from 'vitest';
import { BodyError, readJson } from './body.ts';

const LIMIT = 64;

const request = (body: BodyInit | undefined, headers: Record<string, string> = {}): Request =>
  new Request('http://localhost/', {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    ...(body !== undefined && { body, duplex: 'half' }),
  } as RequestInit);

/** A body of these chunks, and how many of them were asked for. */
const chunked = (chunks: readonly Uint8Array[]): { body: ReadableStream<Uint8Array>; taken(): number } => {
  let taken = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[taken++];
        if (chunk === undefined) controller.close();
        else controller.enqueue(chunk);
      },
    },
    { highWaterMark: 0 },
  );
  return { body, taken: () => taken };
};

const failure = async (read: Promise<unknown>): Promise<BodyError> => {
  const error = await read.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof BodyError)) throw new Error('expected a BodyError', { cause: error });
  return error;
};

test('a body is read as JSON, whatever the charset and case of its type', async () => {
  for (const type of ['application/json', 'application/json; charset=utf-8', 'Application/JSON ;charset=utf-8']) {
    expect(await readJson(request('{"a":"ü"}', { 'content-type': type }), LIMIT)).toEqual({ a: 'ü' });
  }
});

test('characters that are cut between chunks are put together', async () => {
  const bytes = new TextEncoder().encode('{"a":"世界🚂"}');
  const { body } = chunked(Array.from(bytes, (byte) => Uint8Array.of(byte)));
  expect(await readJson(request(body), LIMIT)).toEqual({ a: '世界🚂' });
});

test('a body that is as long as the limit is read, one byte more is refused', async () => {
  const exact = JSON.stringify('x'.repeat(LIMIT - 2));
  for (const length of [exact.length, undefined]) {
    const headers = length === undefined ? {} : { 'content-length': String(length) };
    expect(await readJson(request(exact, headers), LIMIT)).toHaveLength(LIMIT - 2);
  }
  const { body } = chunked([new TextEncoder().encode(exact), new TextEncoder().encode(' ')]);
  expect(await failure(readJson(request(body), LIMIT))).toMatchObject({ status: 413 });
  expect(await failure(readJson(request(exact, { 'content-length': '65' }), LIMIT))).toMatchObject({ status: 413 });
});

test('of a body that goes over the limit, no more is read', async () => {
  const { body, taken } = chunked(Array.from({ length: 1_000 }, () => new Uint8Array(LIMIT)));
  expect(await failure(readJson(request(body), LIMIT))).toMatchObject({
    status: 413,
    message: expect.stringContaining('64'),
  });
  expect(taken()).toBeLessThanOrEqual(3);
});

test('a body of another type, or compressed, is refused by its name', async () => {
  const types = ['text/plain', 'application/jsonx', 'application/x-json', 'text/json; application/json'];
  for (const type of types) {
    const error = await failure(readJson(request('{}', { 'content-type': type }), LIMIT));
    expect([error.status, error.message]).toEqual([415, expect.stringContaining(`'${type}'`)]);
  }
  const none = new Request('http://localhost/', { method: 'POST', body: new Uint8Array(2) });
  expect(await failure(readJson(none, LIMIT))).toMatchObject({ status: 415, message: expect.stringContaining('none') });
  const zipped = request('{}', { 'content-encoding': 'gzip' });
  expect(await failure(readJson(zipped, LIMIT))).toMatchObject({
    status: 415,
    message: expect.stringContaining('gzip'),
  });
});

test('what is said of a body that is not JSON quotes nothing of it', async () => {
  for (const body of ['', 'secret', '{"a": secret}', '{"a":1}secret', '{"secret', undefined]) {
    const error = await failure(readJson(request(body), LIMIT));
    expect(error.status).toBe(400);
    expect(error.message).toMatch(/^The body is not JSON( \(at position \d+\))?\.$/);
  }
});

test('a body that somebody has read already is the server’s mistake', async () => {
  const read = request('{}');
  await read.text();
  expect(await failure(readJson(read, LIMIT))).toMatchObject({
    status: 500,
    message: expect.stringContaining('middleware'),
  });
});
