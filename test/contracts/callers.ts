import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';

// Callers of the four formats, as they are: the real clients, and for Glide's chat, which never had a client for event
// streams, one that reads as such a client would.

export const FORMATS = ['Chat Completions', 'Messages', 'Responses', 'Glide’s chat'] as const;

export type FormatName = (typeof FORMATS)[number];

/** What an answer said, whoever read it. */
export interface Said {
  readonly text: string;
  /** The arguments of each tool call, as JSON. */
  readonly calls: readonly string[];
}

interface Asking {
  /** Up to the route, without a slash at the end: `http://127.0.0.1:1234/llm/chat`. */
  readonly base: string;
  readonly question?: string;
  /** The name of a tool without arguments that have names. */
  readonly tool?: string | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads a stream to its end, and throws what the client of the format throws. */
export const readStream = (format: FormatName, asking: Asking): Promise<Said> => READERS[format](asking);

/** The path of a format under a route, and a body that asks for a stream. */
export const streamRequest = (
  format: FormatName,
  question = 'hi',
): { readonly path: string; readonly body: object } => {
  const messages = [{ role: 'user', content: question }];
  switch (format) {
    case 'Chat Completions':
      return { path: '/v1/chat/completions', body: { stream: true, messages } };
    case 'Messages':
      return { path: '/v1/messages', body: { stream: true, max_tokens: 512, messages } };
    case 'Responses':
      return { path: '/v1/responses', body: { stream: true, input: question } };
    case 'Glide’s chat':
      return { path: '/chat', body: { stream: true, message: messages[0] } };
  }
};

const PARAMETERS = { type: 'object' as const, properties: {} };

const READERS: Readonly<Record<FormatName, (asking: Asking) => Promise<Said>>> = {
  async 'Chat Completions'({ base, question = 'hi', tool, fetch, signal }) {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'k', maxRetries: 0, fetch });
    const messages = [{ role: 'user' as const, content: question }];
    const tools = tool === undefined ? {} : { tools: [functionTool(tool)] };
    const stream = client.chat.completions.stream({ model: 'm', messages, ...tools }, { signal });
    const { choices } = await stream.finalChatCompletion();
    const { content, tool_calls = [] } = choices[0]?.message ?? {};
    return {
      text: content ?? '',
      calls: (tool_calls ?? []).map((call) => (call.type === 'function' ? call.function.arguments : '')),
    };
  },
  async Messages({ base, question = 'hi', tool, fetch, signal }) {
    const client = new Anthropic({ baseURL: base, apiKey: 'k', maxRetries: 0, logLevel: 'off', fetch });
    const messages = [{ role: 'user' as const, content: question }];
    const tools = tool === undefined ? {} : { tools: [{ name: tool, input_schema: PARAMETERS }] };
    const stream = client.messages.stream({ model: 'm', max_tokens: 512, messages, ...tools }, { signal });
    const { content } = await stream.finalMessage();
    return {
      text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
      calls: content.flatMap((block) => (block.type === 'tool_use' ? [JSON.stringify(block.input)] : [])),
    };
  },
  async Responses({ base, question = 'hi', tool, fetch, signal }) {
    const client = new OpenAI({ baseURL: `${base}/v1`, apiKey: 'k', maxRetries: 0, fetch });
    const { function: of } = functionTool(tool ?? '');
    const tools = tool === undefined ? {} : { tools: [{ type: 'function' as const, strict: false, ...of }] };
    const stream = client.responses.stream({ model: 'm', input: question, ...tools }, { signal });
    const { output, output_text } = await stream.finalResponse();
    return {
      text: output_text,
      calls: output.flatMap((item) => (item.type === 'function_call' ? [item.arguments] : [])),
    };
  },
  async 'Glide’s chat'({ base, question = 'hi', tool, fetch = globalThis.fetch, signal = null }) {
    const response = await fetch(`${base}/chat`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        message: { role: 'user', content: question },
        stream: true,
        ...(tool !== undefined && { tools: [functionTool(tool)] }),
      }),
      signal,
    });
    let text = '';
    const calls: string[] = [];
    for (const event of (await response.text()).split('\n\n')) {
      if (!event.startsWith('data: ')) continue;
      const { chunk, error } = JSON.parse(event.slice(6)) as GlideFrame;
      if (error !== undefined) throw new Error(error.name);
      const { content = '', tool_calls = [] } = chunk?.model_response.message ?? {};
      text += content;
      for (const { index, function: of } of tool_calls) calls[index] = (calls[index] ?? '') + of.arguments;
    }
    return { text, calls };
  },
};

interface GlideFrame {
  readonly chunk?: {
    readonly model_response: {
      readonly message: {
        readonly content: string;
        readonly tool_calls?: readonly { readonly index: number; readonly function: { readonly arguments: string } }[];
      };
    };
  };
  readonly error?: { readonly name: string };
}

const functionTool = (name: string) => ({ type: 'function' as const, function: { name, parameters: PARAMETERS } });
