/** What a target's vendor charges, in US dollars for a million tokens. 0: free. */
export interface TargetPrice {
  readonly inputUsdPerMTok: number;
  /** Of input that the vendor's prompt cache serves. Absent: as other input. */
  readonly cachedInputUsdPerMTok?: number | undefined;
  /** Reasoning included. */
  readonly outputUsdPerMTok: number;
}
