/** A body of a vendor, of which nothing is known but that it is an object. */
export type Body = Record<string, unknown>;

/** What two texts of one name come to. */
type Texts = (name: string, before: string, piece: string) => string;

/** Outside a delta each chunk says it all anew. */
export const replace: Texts = (_, before, piece) => piece || before;

/** Inside, texts are pieces; but for those that say what something is, which some servers repeat, or repeat as ''. */
export const join: Texts = (name, before, piece) => (NAMES.has(name) ? before || piece : before + piece);

const NAMES: ReadonlySet<string> = new Set(['id', 'type', 'name', 'role', 'format', 'signature']);

/** Lays a piece over what is there: lists and objects grow, null says nothing, anything else is as of now. */
export const merge = (whole: Body, piece: Body, texts: Texts): void => {
  for (const [name, value] of Object.entries(piece)) {
    // What all objects inherit is not there, so that no body can change it.
    const before = Object.hasOwn(whole, name) ? whole[name] : undefined;
    if (before === undefined || before === null) whole[name] = value;
    else if (value === undefined || value === null) continue;
    else if (typeof before === 'string' && typeof value === 'string') whole[name] = texts(name, before, value);
    else if (Array.isArray(before) || Array.isArray(value))
      whole[name] = append(partsOf(before), partsOf(value), texts);
    else if (isObject(before) && isObject(value)) merge(before, value, texts);
    else whole[name] = value;
  }
};

/** A vendor may say a part of a content as a list of parts, and the rest as a text. */
const partsOf = (value: unknown): unknown[] => {
  if (Array.isArray(value)) return value;
  return value === '' ? [] : [typeof value === 'string' ? { type: 'text', text: value } : value];
};

const append = (list: unknown[], pieces: readonly unknown[], texts: Texts): unknown[] => {
  for (const piece of pieces) {
    const begun = isObject(piece) ? itemFor(list, piece, texts) : undefined;
    if (begun === undefined) list.push(piece);
    else merge(begun, piece as Body, texts);
  }
  return list;
};

/**
 * The item that a piece goes on with: the one of its index, as OpenRouter numbers thoughts, or the last text or thought
 * of a content in parts, as Mistral has it. Citations and log probabilities are items of their own.
 */
const itemFor = (list: readonly unknown[], { type, index }: Body, texts: Texts): Body | undefined => {
  const goesOn = (item: unknown): item is Body => isObject(item) && item.type === type && item.index === index;
  if (typeof index === 'number') return list.findLast(goesOn);
  const last = list.at(-1);
  return texts === join && (type === 'text' || type === 'thinking') && goesOn(last) ? last : undefined;
};

export const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export const isObject = (value: unknown): value is Body =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
