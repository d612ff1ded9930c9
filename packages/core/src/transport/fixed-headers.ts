/** Headers that are the same in each request, and that nobody changes: they are listed once. */
export class FixedHeaders extends Headers {
  /** Names and values by turns. */
  readonly list: readonly string[];

  constructor(headers: Headers) {
    super(headers);
    this.list = [...headers].flat();
  }
}
