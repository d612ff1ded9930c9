/** A request that cannot be read as what it should be. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly status: 400 | 405 | 413 | 415 | 500;

  constructor(status: 400 | 405 | 413 | 415 | 500, message: string) {
    super(message);
    this.status = status;
  }
}

/** The JSON of a request, at most `limit` bytes of it. Throws a BodyError. */
export const readJson = async (request: Request, limit: number): Promise<unknown> => {
  const type = request.headers.get('content-type') ?? '';
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new BodyError(415, `content-type: expected application/json, and got ${type === '' ? 'none' : `'${type}'`}`);
  }
  const encoding = request.headers.get('content-encoding') ?? 'identity';
  if (encoding !== 'identity') throw new BodyError(415, `content-encoding: expected none, and got '${encoding}'`);
  const text = await readText(request, limit).catch((error: unknown) => {
    if (error instanceof BodyError) throw error;
    // The server's own mistake, unless the caller left, who then does not read this.
    throw new BodyError(500, 'The body could not be read. Has a middleware before Switchyard read it already?');
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's words quote the body; only its position is ours to repeat.
    const position = /position \d+/.exec(String(error))?.[0];
    throw new BodyError(400, `The body is not JSON${position === undefined ? '' : ` (at ${position})`}.`);
  }
};

const readText = async (request: Request, limit: number): Promise<string> => {
  const length = request.headers.get('content-length');
  if (Number(length) > limit) throw tooLarge(limit);
  // The server holds the sender to the length it named.
  if (length !== null) return request.text();
  const decoder = new TextDecoder();
  let size = 0;
  let text = '';
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > limit) throw tooLarge(limit);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
};

const tooLarge = (limit: number): BodyError => new BodyError(413, `The body is larger than ${limit} bytes.`);
