import type { Failure } from './failure.ts';

/**
 * What is asked of an embedding model: one vector for each input, in neutral words, which every provider that makes
 * embeddings can translate for its vendor.
 *
 * A request that arrived in OpenAI's format also carries the body it came as (`source`), so that a target that speaks the
 * same format receives it untouched.
 */
export interface EmbeddingRequest {
  /** At least one: texts, or texts that were cut into tokens already, which only targets of OpenAI's format take. */
  readonly inputs: readonly EmbeddingInput[];
  /** How long the vectors should be. Absent: as the model makes them. */
  readonly dimensions?: number;
  /**
   * Fields that have no neutral name. `input_type` is known to several vendors: what the vectors are for, in Cohere's words
   * (`search_document`, `search_query`, `classification`, `clustering`).
   */
  readonly extra?: Readonly<Record<string, unknown>>;
  /** The request as it came. */
  readonly source?: { readonly format: 'openai-embeddings'; readonly body: Readonly<Record<string, unknown>> };
}

/** A text, or its tokens by their numbers in the model's vocabulary. */
export type EmbeddingInput = string | readonly number[];

/** What is answered: the vectors, in the order of the inputs. */
export interface EmbeddingResponse {
  /** The model that answered, as its vendor names it. */
  readonly model: string;
  readonly vectors: readonly Vector[];
  /** Absent where the vendor does not tell. */
  readonly usage?: { readonly inputTokens: number };
  /** The vendor's body, byte for byte, when the request was passed through. */
  readonly source?: { readonly format: 'openai-embeddings'; readonly body: string };
}

export type Vector = readonly number[] | Float32Array;

export const isEmbedding = (request: object): request is EmbeddingRequest => 'inputs' in request;

/** What is known of one vector space: of all targets, in all pools, that declare it. */
export interface VectorSpace {
  readonly name: string;
  /** How long its vectors are where no request has asked for a length; undefined until it is named, or the first is seen. */
  length: number | undefined;
}

/** A name such as `text-embedding-3-small@1536` says how long the vectors are. */
export const newVectorSpace = (name: string): VectorSpace => {
  const [, length] = /@([1-9]\d*)$/.exec(name) ?? [];
  return { name, length: length === undefined ? undefined : Number(length) };
};

/** What the vectors of an answer are held to. */
type Asked = Pick<EmbeddingRequest, 'inputs' | 'dimensions'>;

/**
 * Why the vectors of an answer must not be handed out, or undefined where nothing is wrong. A store that took one wrong
 * vector would find nonsense for as long as it keeps it, and nobody would know why.
 */
export const faultOf = (
  vectors: readonly Vector[],
  { inputs, dimensions }: Asked,
  { name, length }: VectorSpace,
  vendor: string,
): Failure | undefined => {
  const broken = (what: string): Failure => ({ kind: 'broken', message: `${vendor} sent ${what}` });
  if (vectors.length !== inputs.length) return broken(`${vectors.length} vectors for ${inputs.length} inputs`);
  const got = vectors[0]?.length ?? 0;
  for (const vector of vectors) {
    if (vector.length === 0) return broken('an empty vector');
    if (vector.length !== got) return broken(`vectors of ${got} and of ${vector.length} numbers in one answer`);
    if (!isAllNumbers(vector)) return broken('a vector with something in it that is no number');
  }
  if (dimensions !== undefined) {
    // The vendor does not know the field, or not this length. The next caller may ask for none: no fault of the target.
    return got === dimensions
      ? undefined
      : {
          kind: 'unsupported',
          message: `${vendor} sent vectors of ${got} numbers where dimensions asked for ${dimensions}`,
        };
  }
  if (length === undefined || got === length) return undefined;
  return broken(`vectors of ${got} numbers; those of space '${name}' have ${length}`);
};

/** What a good answer teaches: how long the vectors of its space are. */
export const learnLength = (space: VectorSpace, vectors: readonly Vector[], { dimensions }: Asked): void => {
  if (dimensions === undefined) space.length ??= vectors[0]?.length;
};

/** By index, since `every` of a typed array and of a list are two functions, and this runs for each of millions. */
const isAllNumbers = (vector: Vector): boolean => {
  for (let i = 0; i < vector.length; i++) if (!Number.isFinite(vector[i])) return false;
  return true;
};
