// What a strict client makes of the bytes of a stream. It knows the formats, and nothing of the router.

export const FORMATS = ['chat', 'messages', 'responses', 'glide'] as const;
/** A format of callers. */
export type FormatName = (typeof FORMATS)[number];

/** An answer as a client has put it together, and how its stream ended. */
export interface Heard {
  /** What is left after a sign that what came before is void. */
  readonly text: string;
  readonly thought: string;
  readonly calls: readonly { readonly name: string; readonly args: string }[];
  /** In the words of Chat Completions; undefined where it was not said. */
  readonly finish: string | undefined;
  readonly outputTokens: number | undefined;
  /** Errors, and events that say that the answer is whole. */
  readonly errors: number;
  readonly ends: number;
  /** What the stream closed with. */
  readonly closedBy: 'end' | 'error' | 'neither';
  /** Where another target took over: what the client was told, in order. */
  readonly seams: readonly string[];
  /** All that came before another target took over; all of it where none did. */
  readonly firstPart: string;
  /** Lines that mean nothing, which clients pass over. */
  readonly strange: readonly string[];
  /** What no stream of the format may have. */
  readonly wrong: readonly string[];
}

interface Frame {
  readonly event: string | undefined;
  readonly data: string;
}

interface Frames {
  readonly frames: readonly Frame[];
  readonly comments: readonly string[];
  readonly firstPart: string;
  readonly strange: readonly string[];
  readonly wrong: readonly string[];
}

/**
 * By the letter of the HTML standard, §9.2: an event is one only with its blank line, and what the stream leaves behind the
 * last one is nothing.
 */
const readFrames = (bytes: Uint8Array): Frames => {
  const frames: Frame[] = [];
  const comments: string[] = [];
  const strange: string[] = [];
  const wrong: string[] = [];
  const text = new TextDecoder().decode(bytes);
  let event: string | undefined;
  let data: string[] = [];
  const lines = text.split(/\r\n|\n|\r/);
  const left = lines.pop();
  for (const line of lines) {
    if (line === '') {
      if (data.length > 0) frames.push({ event, data: data.join('\n') });
      else if (event !== undefined) wrong.push(`an event without data: ${event}`);
      event = undefined;
      data = [];
      continue;
    }
    const colon = line.indexOf(':');
    if (colon === 0) {
      comments.push(line.slice(1).trim());
      continue;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') data.push(value);
    else if (name === 'event') event = value;
    else if (name !== 'id' && name !== 'retry') strange.push(line);
  }
  if (left !== '' || data.length > 0 || event !== undefined) wrong.push('an event that is not whole');
  const seam = text.indexOf(': switchyard ');
  return { frames, comments, strange, wrong, firstPart: seam < 0 ? text : text.slice(0, seam) };
};

// biome-ignore lint/suspicious/noExplicitAny: what a client reads is anything.
type Any = any;

/** What readers write to. */
interface Draft {
  text: string;
  thought: string;
  calls: { name: string; args: string }[];
  finish: string | undefined;
  outputTokens: number | undefined;
  errors: number;
  ends: number;
  readonly wrong: string[];
}

type Read = (frame: Frame, json: Any, draft: Draft) => 'end' | 'error' | undefined;

const clear = (draft: Draft): void => {
  draft.text = '';
  draft.thought = '';
  draft.calls = [];
  draft.finish = undefined;
};

const CHAT = (): Read => {
  let head: string | undefined;
  return ({ data }, json, draft) => {
    if (data === '[DONE]') return 'end';
    if (json.error !== undefined) return 'error';
    head ??= `${json.id} ${json.model}`;
    if (`${json.id} ${json.model}` !== head)
      draft.wrong.push(`chunks of two answers: ${head}; ${json.id} ${json.model}`);
    if (json.switchyard?.reset) clear(draft);
    const [choice] = json.choices;
    if (choice !== undefined && draft.finish !== undefined) draft.wrong.push('a choice behind its end');
    draft.text += choice?.delta?.content ?? '';
    draft.thought += choice?.delta?.reasoning_content ?? '';
    for (const piece of choice?.delta?.tool_calls ?? []) {
      draft.calls[piece.index] ??= { name: '', args: '' };
      const call = draft.calls[piece.index];
      if (call === undefined) continue;
      call.name += piece.function?.name ?? '';
      call.args += piece.function?.arguments ?? '';
    }
    if (choice?.finish_reason) draft.finish = choice.finish_reason;
    if (json.usage) draft.outputTokens = json.usage.completion_tokens;
    return undefined;
  };
};

const STOP_REASONS: Readonly<Record<string, string>> = { end_turn: 'stop', tool_use: 'tool_calls' };

const MESSAGES = (): Read => {
  let begun = false;
  /** The index of the block that is open. */
  let open: { index: number; type: string } | undefined;
  let next = 0;
  return ({ event }, json, draft) => {
    const { type, index } = json;
    const wrong = (what: string): void => void draft.wrong.push(what);
    if (event !== type) wrong(`${event} with a ${type} in it`);
    if (type === 'error') return 'error';
    if (type === 'ping') return undefined;
    if (!begun && type !== 'message_start') wrong(`${type} before the start`);
    if (draft.finish !== undefined && type !== 'message_stop') wrong(`${type} behind the end`);
    switch (type) {
      case 'message_start':
        if (begun) wrong('a second start');
        begun = true;
        break;
      case 'content_block_start': {
        if (open !== undefined || index !== next) wrong(`block ${index} in ${JSON.stringify(open)}`);
        next = index + 1;
        const block = json.content_block;
        open = { index, type: block.type };
        if (json.switchyard?.reset) clear(draft);
        draft.text += block.text ?? '';
        draft.thought += block.thinking ?? '';
        if (block.type === 'tool_use') draft.calls.push({ name: block.name, args: '' });
        break;
      }
      case 'content_block_delta': {
        const { delta } = json;
        if (open?.index !== index) wrong(`a piece of block ${index} in ${JSON.stringify(open)}`);
        const fits = { text_delta: 'text', thinking_delta: 'thinking', input_json_delta: 'tool_use' }[
          String(delta.type)
        ];
        if (fits !== undefined && fits !== open?.type) wrong(`${delta.type} in ${open?.type}`);
        draft.text += delta.text ?? '';
        draft.thought += delta.thinking ?? '';
        const call = draft.calls.at(-1);
        if (call !== undefined) call.args += delta.partial_json ?? '';
        break;
      }
      case 'content_block_stop':
        if (open?.index !== index) wrong(`the end of block ${index} in ${JSON.stringify(open)}`);
        open = undefined;
        break;
      case 'message_delta':
        if (open !== undefined) wrong('the end of the message before that of its block');
        draft.finish = STOP_REASONS[json.delta.stop_reason] ?? json.delta.stop_reason;
        draft.outputTokens = json.usage?.output_tokens;
        break;
      case 'message_stop':
        if (draft.finish === undefined) wrong('an end without a reason');
        return 'end';
    }
    return undefined;
  };
};

const RESPONSES = (): Read => {
  let next = 0;
  let failed = false;
  const open = new Map<number, string>();
  return ({ event }, json, draft) => {
    const { type } = json;
    const wrong = (what: string): void => void draft.wrong.push(what);
    if (event !== type) wrong(`${event} with a ${type} in it`);
    if (json.sequence_number !== next) wrong(`${type} number ${json.sequence_number} in the place of ${next}`);
    next += 1;
    if (json.switchyard?.reset) clear(draft);
    switch (type) {
      case 'response.output_text.delta':
        if (open.get(json.output_index) !== 'message') wrong('text outside a message');
        draft.text += json.delta;
        break;
      case 'response.reasoning_summary_text.delta':
        draft.thought += json.delta;
        break;
      case 'response.output_item.added':
        open.set(json.output_index, json.item.type);
        if (json.item.type === 'function_call') draft.calls.push({ name: json.item.name, args: '' });
        break;
      case 'response.output_item.done':
        if (!open.delete(json.output_index)) wrong(`the end of item ${json.output_index}, which is not open`);
        break;
      case 'response.function_call_arguments.delta': {
        const call = draft.calls.at(-1);
        if (call !== undefined) call.args += json.delta;
        break;
      }
      case 'response.completed': {
        const { output, usage } = json.response;
        const texts = output.flatMap((item: Any) => (item.type === 'message' ? item.content : []));
        const whole = texts.map((part: Any) => part.text).join('');
        if (whole !== draft.text) wrong(`an end with another text: ${JSON.stringify(whole)}`);
        const calls = output.flatMap((item: Any) => (item.type === 'function_call' ? [item] : []));
        if (calls.map((call: Any) => call.arguments).join() !== draft.calls.map(({ args }) => args).join()) {
          wrong('an end with other calls');
        }
        if (open.size > 0) wrong('the end of all before that of its items');
        draft.finish = calls.length > 0 ? 'tool_calls' : 'stop';
        draft.outputTokens = usage?.output_tokens;
        return 'end';
      }
      case 'error':
        failed = true;
        return 'error';
      case 'response.failed':
        // The second half of one error.
        if (!failed) wrong('a failure without its error');
        draft.errors -= 1;
        return 'error';
    }
    return undefined;
  };
};

const GLIDE_REASONS: Readonly<Record<string, string>> = { complete: 'stop' };

const GLIDE = (): Read => {
  let head: string | undefined;
  return (_, json, draft) => {
    if (json.error !== undefined) return 'error';
    const { model_response: said, finish_reason, model_name } = json.chunk;
    const names = `${said.metadata.response_id} ${model_name}`;
    head ??= names;
    if (names !== head) draft.wrong.push(`chunks of two answers: ${head}; ${names}`);
    if (json.switchyard?.reset) clear(draft);
    draft.text += said.message.content;
    draft.thought += said.message.reasoning_content ?? '';
    for (const piece of said.message.tool_calls ?? []) {
      draft.calls[piece.index] ??= { name: '', args: '' };
      const call = draft.calls[piece.index];
      if (call === undefined) continue;
      call.name += piece.function?.name ?? '';
      call.args += piece.function?.arguments ?? '';
    }
    if (finish_reason === undefined) return undefined;
    draft.finish = GLIDE_REASONS[finish_reason] ?? finish_reason;
    draft.outputTokens = said.token_usage?.response_tokens;
    return 'end';
  };
};

const READERS: Readonly<Record<FormatName, () => Read>> = {
  chat: CHAT,
  messages: MESSAGES,
  responses: RESPONSES,
  glide: GLIDE,
};

export const hear = (format: FormatName, bytes: Uint8Array): Heard => {
  const { frames, comments, firstPart, strange, wrong } = readFrames(bytes);
  const draft: Draft = {
    text: '',
    thought: '',
    calls: [],
    finish: undefined,
    outputTokens: undefined,
    errors: 0,
    ends: 0,
    wrong: [...wrong],
  };
  const read = READERS[format]();
  let closedBy: Heard['closedBy'] = 'neither';
  for (const frame of frames) {
    if (closedBy === 'end') draft.wrong.push(`${frame.data.slice(0, 60)} behind the end`);
    let json: Any;
    if (frame.data.includes('\uFFFD')) draft.wrong.push(`half a character: ${frame.data}`);
    if (frame.data !== '[DONE]') {
      try {
        json = JSON.parse(frame.data);
      } catch {
        draft.wrong.push(`data that is not JSON: ${frame.data}`);
        continue;
      }
    }
    const closes = read(frame, json, draft);
    if (closes === 'end') draft.ends += 1;
    if (closes === 'error') draft.errors += 1;
    closedBy = closes ?? 'neither';
  }
  const seams = comments.filter((comment) => comment.startsWith('switchyard'));
  return { ...draft, calls: draft.calls.filter((call) => call !== undefined), closedBy, seams, firstPart, strange };
};
