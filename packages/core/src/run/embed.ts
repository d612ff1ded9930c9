import {
  type EmbeddingRequest,
  type EmbeddingResponse,
  faultOf,
  learnLength,
  type VectorSpace,
} from '../decide/embedding.ts';
import type { Failure } from '../decide/failure.ts';
import type { Call, Embeddings } from '../provider.ts';

/** What `askForVectors` throws of vectors that must not be handed out. */
export class WrongVectors extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** Asks for vectors, and looks at what comes before anybody else does: a wrong one is a failed attempt. */
export const askForVectors = async (
  embeddings: Embeddings,
  request: EmbeddingRequest,
  call: Call,
  { space, vendor }: { readonly space: VectorSpace; readonly vendor: string },
): Promise<EmbeddingResponse> => {
  const answer = await embeddings.embed(request, call);
  const fault = faultOf(answer.vectors, request, space, vendor);
  if (fault !== undefined) throw new WrongVectors(fault);
  learnLength(space, answer.vectors, request);
  return answer;
};
