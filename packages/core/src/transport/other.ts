/** No transport of our own on this runtime: the SDKs use its `fetch`. */
export const transport: typeof fetch | undefined = undefined;
