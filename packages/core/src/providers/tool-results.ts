import type { Message, ToolMessage, UserMessage, UserPart } from '../decide/request.ts';

/**
 * The same conversation for vendors whose tools return nothing but text: an image or a file that a tool returned is shown
 * by the user, right behind the results that were returned together.
 */
export const withTextResults = (messages: readonly Message[]): readonly Message[] => {
  if (!messages.some((message) => message.role === 'tool' && message.content.some(isNoText))) return messages;
  const rewritten: Message[] = [];
  let shown: UserPart[] = [];
  const show = (): void => {
    if (shown.length > 0) rewritten.push({ role: 'user', content: shown } satisfies UserMessage);
    shown = [];
  };
  for (const message of messages) {
    if (message.role !== 'tool') {
      show();
      rewritten.push(message);
      continue;
    }
    const other = message.content.filter(isNoText);
    const content = message.content.filter((part) => !isNoText(part));
    if (other.length > 0) {
      const words = `What the tool call ${message.toolCallId} returned:`;
      shown.push({ type: 'text', text: words }, ...other);
      if (content.length === 0) content.push(SHOWN_BELOW);
    }
    rewritten.push({ ...message, content } satisfies ToolMessage);
  }
  show();
  return rewritten;
};

const isNoText = ({ type }: UserPart): boolean => type !== 'text';

/** A result without a word would look like a tool that returned nothing. */
const SHOWN_BELOW: UserPart = { type: 'text', text: '(The result is shown in the next message.)' };

/** The texts of a message, where nothing else is left. */
export const textsOf = (parts: readonly UserPart[]): { readonly type: 'text'; readonly text: string }[] =>
  parts.flatMap((part) => (part.type === 'text' ? [part] : []));
