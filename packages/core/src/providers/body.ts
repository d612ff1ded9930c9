/** A body of a vendor, of which nothing is known but that it is an object. */
export type Body = Record<string, unknown>;

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A count of tokens. What is missing, negative or no number is 0, so that sums stay finite. */
export const countOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/** Absent is not `undefined` to a vendor, nor to the SDK that checks the body. */
export const withoutUndefined = (body: Body): Body =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
