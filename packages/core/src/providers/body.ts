import { randomUUID } from 'node:crypto';
import type { OutputFormat } from '../decide/request.ts';

/** A body of a vendor, of which nothing is known but that it is an object. */
export type Body = Record<string, unknown>;

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined);

/** A count of tokens. What is missing, negative or no number is 0, so that sums stay finite. */
export const countOf = (value: unknown): number => (typeof value === 'number' && value > 0 ? value : 0);

/**
 * The id of a tool call under which every vendor takes its result: OpenAI allows 40 characters, and Anthropic no others
 * than these. For any other id there is one of ours.
 */
export const callIdOf = (id: unknown): string =>
  typeof id === 'string' && /^[\w-]{1,40}$/.test(id) ? id : `call_${randomUUID().replaceAll('-', '')}`;

/** The schema of an answer where a vendor has no other place for what is said about it. */
export const describedSchema = ({ schema, description }: OutputFormat & { readonly type: 'json-schema' }): Body =>
  description === undefined ? schema : { description, ...schema };

/** Absent is not `undefined` to a vendor, nor to the SDK that checks the body. */
export const withoutUndefined = (body: Body): Body =>
  Object.fromEntries(Object.entries(body).filter(([, value]) => value !== undefined));
