/** What a candidate is told when it is started. */
export interface Setup {
  readonly host: string;
  readonly port: number;
  /** The vendor's two servers: of the first target, and of the one that stands in for it. */
  readonly urls: readonly [string, string];
  /** Of Switchyard: which SDK the targets are called through. */
  readonly provider: 'openai' | 'anthropic' | 'cohere' | 'google' | 'google-genai';
  /** Of Switchyard: whether the SDK has the built-in fetch instead of the transport of Switchyard's own. */
  readonly builtInFetch: boolean;
  /** Of Switchyard: how many routes there are, and how many targets each of them has. */
  readonly routes: number;
  readonly targets: number;
}

export const setup: Setup = JSON.parse(process.argv[2] ?? '{}');
