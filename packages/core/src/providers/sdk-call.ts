import type { Call } from '../provider.ts';
import { NO_SDK_TIMEOUT_MS } from '../provider-kit.ts';

/** What a call says to an SDK that Stainless has made: no second try, and no clock, of its own. */
export interface SdkCall {
  readonly maxRetries: 0;
  readonly timeout: number;
  readonly signal?: AbortSignal;
  /** With what only our transport knows. */
  readonly fetchOptions?: Record<never, never>;
}

const PATIENT = { maxRetries: 0, timeout: NO_SDK_TIMEOUT_MS } as const;

/** How a client is told of a call. */
export type Tell = (call: Call) => SdkCall;

/** For a client of the user's own, or with a transport of theirs. */
export const bySignal: Tell = ({ signal }) => ({ ...PATIENT, signal });

/**
 * For a client over our own transport, which hears of the call's end by itself. These SDKs tie a signal that they are given to
 * one of their own, through AbortSignal.any or a FinalizationRegistry, and what is weakly held costs the garbage collector
 * more than the rest of the call costs the SDK. What is in `fetchOptions` reaches the transport as it is.
 */
export const directly: Tell = (call) => ({ ...PATIENT, fetchOptions: { call } });
