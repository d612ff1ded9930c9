import type { CallerFormat } from './callers.ts';
import type { Tongue } from './ways.ts';

// Every field that a format documents, with a value by which it is recognised, for docs/mapping.md.

export interface Field {
  /** As it is said in the format; `[]` for any item of a list. */
  readonly path: string;
  /** What says it. */
  readonly says: object;
  /** What has to be there for the field to have a meaning, and is no news. */
  readonly beside?: object;
  /** Where nothing has to be said, and why; in both cases the table says so. */
  readonly unsaid?: Partial<Record<Tongue, string>>;
}

const DATA = 'iVBORw0KGgo=';
const IMAGE = `data:image/png;base64,${DATA}`;
const PDF = 'data:application/pdf;base64,JVBERi0xLjQK';
const SCHEMA = { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] };

const parameters = { parameters: SCHEMA };
const tool = { type: 'function', function: { name: 'get_weather', ...parameters } };
const tools = { tools: [tool] };
const format = (json_schema: object) => ({ response_format: { type: 'json_schema', json_schema } });

const user = (content: unknown) => ({ messages: [{ role: 'user', content }] });

/** Told by whom one speaks to, or by what happens anyway. */
const DEFAULT = 'its default';
const everyone = (why: string): NonNullable<Field['unsaid']> => ({
  openai: why,
  responses: why,
  anthropic: why,
  cohere: why,
  gemini: why,
});

/** Settings that Glide took over from Chat Completions. */
const SHARED: readonly Field[] = [
  { path: 'max_tokens', says: { max_tokens: 77 } },
  { path: 'temperature', says: { temperature: 0.3 } },
  { path: 'top_p', says: { top_p: 0.4 } },
  { path: 'stop', says: { stop: ['END'] } },
  { path: 'seed', says: { seed: 7 } },
  { path: 'frequency_penalty', says: { frequency_penalty: 0.6 } },
  { path: 'presence_penalty', says: { presence_penalty: 0.6 } },
  { path: 'tools[].function', says: tools },
  {
    path: 'tools[].function.description',
    beside: tools,
    says: { tools: [{ type: 'function', function: { name: 'get_weather', description: 'About it.', ...parameters } }] },
  },
  {
    path: 'tools[].function.strict',
    beside: tools,
    says: { tools: [{ type: 'function', function: { name: 'get_weather', strict: true, ...parameters } }] },
  },
  { path: 'tool_choice: auto', beside: tools, says: { tool_choice: 'auto' }, unsaid: { cohere: DEFAULT } },
  { path: 'tool_choice: none', beside: tools, says: { tool_choice: 'none' } },
  { path: 'tool_choice: required', beside: tools, says: { tool_choice: 'required' } },
  {
    path: 'tool_choice.function',
    beside: tools,
    says: { tool_choice: { type: 'function', function: { name: 'get_weather' } } },
  },
  { path: 'parallel_tool_calls: false', beside: tools, says: { parallel_tool_calls: false } },
  {
    path: 'parallel_tool_calls: true',
    beside: tools,
    says: { parallel_tool_calls: true },
    unsaid: { anthropic: DEFAULT, cohere: DEFAULT, gemini: DEFAULT },
  },
  { path: 'response_format: json_object', says: { response_format: { type: 'json_object' } } },
  { path: 'response_format.json_schema', says: format({ name: 'weather', schema: SCHEMA }) },
  {
    path: 'response_format.json_schema.description',
    beside: format({ name: 'weather', schema: SCHEMA }),
    says: format({ name: 'weather', schema: SCHEMA, description: 'About it.' }),
  },
  {
    path: 'response_format.json_schema.strict',
    beside: format({ name: 'weather', schema: SCHEMA }),
    says: format({ name: 'weather', schema: SCHEMA, strict: true }),
    unsaid: { anthropic: 'always', cohere: 'always', gemini: 'always' },
  },
  ...['none', 'minimal', 'low', 'medium', 'high'].map((effort) => ({
    path: `reasoning_effort: ${effort}`,
    says: { reasoning_effort: effort },
  })),
];

const CHAT: readonly Field[] = [
  {
    path: 'messages[].role: system',
    beside: {},
    says: { messages: [{ role: 'system', content: 'Be brief.' }, ...user('hi').messages] },
  },
  {
    path: 'messages[].role: developer',
    says: { messages: [{ role: 'developer', content: 'Be brief.' }, ...user('hi').messages] },
  },
  { path: 'messages[].name', says: { messages: [{ role: 'user', name: 'Ann', content: 'hi' }] } },
  {
    path: 'messages[].refusal',
    beside: { messages: [...user('one').messages, { role: 'assistant', content: 'two' }, ...user('hi').messages] },
    says: {
      messages: [
        ...user('one').messages,
        { role: 'assistant', content: 'two', refusal: 'I will not.' },
        ...user('hi').messages,
      ],
    },
  },
  {
    path: 'messages[].reasoning_content',
    beside: { messages: [...user('one').messages, { role: 'assistant', content: 'two' }, ...user('hi').messages] },
    says: {
      messages: [
        ...user('one').messages,
        { role: 'assistant', content: 'two', reasoning_content: 'Hm.' },
        ...user('hi').messages,
      ],
    },
  },
  {
    path: 'messages[].tool_calls, role: tool',
    beside: tools,
    says: {
      messages: [
        ...user('hi').messages,
        {
          role: 'assistant',
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Berlin"}' } },
          ],
        },
        { role: 'tool', tool_call_id: 'call_1', content: '20 °C' },
      ],
    },
  },
  {
    path: 'messages[].content[].image_url.url (data)',
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'image_url', image_url: { url: IMAGE } },
    ]),
  },
  {
    path: 'messages[].content[].image_url.url (https)',
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'image_url', image_url: { url: 'https://example.com/a.png' } },
    ]),
  },
  {
    path: 'messages[].content[].image_url.detail',
    beside: user([
      { type: 'text', text: 'hi' },
      { type: 'image_url', image_url: { url: IMAGE } },
    ]),
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'image_url', image_url: { url: IMAGE, detail: 'low' } },
    ]),
  },
  {
    path: 'messages[].content[].input_audio',
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } },
    ]),
  },
  {
    path: 'messages[].content[].file.file_data',
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'file', file: { file_data: PDF, filename: 'a.pdf' } },
    ]),
  },
  {
    path: 'messages[].content[].file.file_id',
    says: user([
      { type: 'text', text: 'hi' },
      { type: 'file', file: { file_id: 'file-1' } },
    ]),
  },
  {
    path: 'messages[].content[].cache_control',
    says: user([{ type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } }]),
  },
  { path: 'max_completion_tokens', says: { max_completion_tokens: 77 } },
  ...SHARED,
  { path: 'tools[]: custom', says: { tools: [{ type: 'custom', custom: { name: 'grep' } }] } },
  { path: 'n', says: { n: 2 } },
  { path: 'logprobs', says: { logprobs: true } },
  { path: 'top_logprobs', beside: { logprobs: true }, says: { top_logprobs: 2 } },
  { path: 'logit_bias', says: { logit_bias: { 50256: -100 } } },
  { path: 'service_tier', says: { service_tier: 'flex' } },
  { path: 'user', says: { user: 'user-7' } },
  { path: 'safety_identifier', says: { safety_identifier: 'user-7' } },
  { path: 'metadata', says: { metadata: { team: 'a-team' } } },
  { path: 'store', says: { store: true } },
  { path: 'prompt_cache_key', says: { prompt_cache_key: 'cache-7' } },
  { path: 'prompt_cache_retention', says: { prompt_cache_retention: '24h' } },
  { path: 'verbosity', says: { verbosity: 'low' } },
  { path: 'prediction', says: { prediction: { type: 'content', content: 'hi' } } },
  { path: 'modalities', says: { modalities: ['text', 'audio'] } },
  { path: 'audio', says: { audio: { voice: 'alloy', format: 'wav' } } },
  { path: 'web_search_options', says: { web_search_options: {} } },
  { path: 'functions', says: { functions: [{ name: 'f' }] } },
  { path: 'function_call', says: { function_call: 'auto' } },
  {
    path: 'stream_options.include_usage',
    beside: { stream: true },
    says: { stream: true, stream_options: { include_usage: true } },
    unsaid: everyone('told by the router'),
  },
  {
    path: 'stream_options.include_obfuscation',
    beside: { stream: true },
    says: { stream: true, stream_options: { include_obfuscation: false } },
    unsaid: everyone(DEFAULT),
  },
];

const block = (...blocks: object[]) => user([{ type: 'text', text: 'hi' }, ...blocks]);
const input_schema = SCHEMA;
const anthropicTools = { tools: [{ name: 'get_weather', input_schema }] };
const called = (result: object) => ({
  messages: [
    ...user('hi').messages,
    {
      role: 'assistant',
      content: [{ type: 'tool_use', id: 'call_1', name: 'get_weather', input: { city: 'Berlin' } }],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'call_1', ...result }] },
  ],
});
const pdf = { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQK' };

const MESSAGES: readonly Field[] = [
  { path: 'max_tokens', says: { max_tokens: 77 } },
  { path: 'system', says: { system: 'Be brief.' } },
  {
    path: 'messages[].content[]: image, base64',
    says: block({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: DATA } }),
  },
  {
    path: 'messages[].content[]: image, url',
    says: block({ type: 'image', source: { type: 'url', url: 'https://example.com/a.png' } }),
  },
  {
    path: 'messages[].content[]: image, file',
    says: block({ type: 'image', source: { type: 'file', file_id: 'file_1' } }),
  },
  { path: 'messages[].content[]: document, base64', says: block({ type: 'document', source: pdf }) },
  {
    path: 'messages[].content[]: document, text',
    says: block({ type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'words' } }),
  },
  {
    path: 'messages[].content[]: document, url',
    says: block({ type: 'document', source: { type: 'url', url: 'https://example.com/a.pdf' } }),
  },
  {
    path: 'messages[].content[].title',
    beside: block({ type: 'document', source: pdf }),
    says: block({ type: 'document', source: pdf, title: 'Report' }),
    unsaid: { gemini: 'a file has no name' },
  },
  {
    path: 'messages[].content[].citations',
    beside: block({ type: 'document', source: pdf }),
    says: block({ type: 'document', source: pdf, citations: { enabled: true } }),
  },
  {
    path: 'messages[].content[]: search_result',
    says: block({ type: 'search_result', source: 'a', title: 'b', content: [{ type: 'text', text: 'c' }] }),
  },
  { path: 'messages[].content[]: tool_use, tool_result', beside: anthropicTools, says: called({ content: '20 °C' }) },
  {
    path: 'messages[].content[].is_error',
    beside: { ...anthropicTools, ...called({ content: '20 °C' }) },
    says: called({ content: '20 °C', is_error: true }),
  },
  {
    path: 'messages[].content[]: thinking',
    beside: {
      messages: [
        ...user('one').messages,
        { role: 'assistant', content: [{ type: 'text', text: 'two' }] },
        ...user('hi').messages,
      ],
    },
    says: {
      messages: [
        ...user('one').messages,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'Hm.', signature: 's' },
            { type: 'text', text: 'two' },
          ],
        },
        ...user('hi').messages,
      ],
    },
  },
  {
    path: 'cache_control, anywhere',
    says: { system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }] },
    beside: { system: 'Be brief.' },
  },
  { path: 'temperature', says: { temperature: 0.3 } },
  { path: 'top_p', says: { top_p: 0.4 } },
  { path: 'top_k', says: { top_k: 40 } },
  { path: 'stop_sequences', says: { stop_sequences: ['END'] } },
  { path: 'tools[]', says: anthropicTools },
  {
    path: 'tools[].description',
    beside: anthropicTools,
    says: { tools: [{ name: 'get_weather', description: 'About it.', input_schema }] },
  },
  {
    path: 'tools[].strict',
    beside: anthropicTools,
    says: { tools: [{ name: 'get_weather', strict: true, input_schema }] },
  },
  {
    path: 'tools[].input_examples',
    beside: anthropicTools,
    says: { tools: [{ name: 'get_weather', input_schema, input_examples: [{ city: 'Bonn' }] }] },
  },
  {
    path: 'tools[].defer_loading',
    beside: anthropicTools,
    says: { tools: [{ name: 'get_weather', input_schema, defer_loading: true }] },
  },
  { path: 'tools[]: web_search_20250305', says: { tools: [{ type: 'web_search_20250305', name: 'web_search' }] } },
  {
    path: 'tool_choice: auto',
    beside: anthropicTools,
    says: { tool_choice: { type: 'auto' } },
    unsaid: { cohere: DEFAULT },
  },
  { path: 'tool_choice: any', beside: anthropicTools, says: { tool_choice: { type: 'any' } } },
  { path: 'tool_choice: none', beside: anthropicTools, says: { tool_choice: { type: 'none' } } },
  { path: 'tool_choice: tool', beside: anthropicTools, says: { tool_choice: { type: 'tool', name: 'get_weather' } } },
  {
    path: 'tool_choice.disable_parallel_tool_use',
    beside: { ...anthropicTools, tool_choice: { type: 'auto' } },
    says: { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
  },
  { path: 'output_config.format', says: { output_config: { format: { type: 'json_schema', schema: SCHEMA } } } },
  ...['low', 'medium', 'high', 'xhigh', 'max'].map((effort) => ({
    path: `output_config.effort: ${effort}`,
    says: { output_config: { effort } },
  })),
  { path: 'thinking: disabled', says: { thinking: { type: 'disabled' } } },
  {
    path: 'thinking: adaptive',
    says: { thinking: { type: 'adaptive' } },
    unsaid: { openai: DEFAULT, responses: DEFAULT },
  },
  {
    path: 'thinking: enabled, budget_tokens',
    beside: { max_tokens: 4_096 },
    says: { thinking: { type: 'enabled', budget_tokens: 2_048 } },
  },
  { path: 'service_tier', says: { service_tier: 'standard_only' } },
  { path: 'metadata.user_id', says: { metadata: { user_id: 'user-7' } } },
  { path: 'container', says: { container: 'container_1' } },
  { path: 'context_management', says: { context_management: { edits: [] } } },
  { path: 'mcp_servers', says: { mcp_servers: [{ type: 'url', name: 'a', url: 'https://example.com' }] } },
  { path: 'speed', says: { speed: 'fast' } },
  { path: 'inference_geo', says: { inference_geo: 'us' } },
];

const items = (...content: object[]) => ({
  input: [{ role: 'user', content: [{ type: 'input_text', text: 'hi' }, ...content] }],
});
const responsesTools = { tools: [{ type: 'function', name: 'get_weather', strict: false, ...parameters }] };
const textFormat = (more: object) => ({
  text: { format: { type: 'json_schema', name: 'weather', schema: SCHEMA, ...more } },
});

const RESPONSES: readonly Field[] = [
  { path: 'instructions', says: { instructions: 'Be brief.' } },
  { path: 'input[].role: system', says: { input: [{ role: 'system', content: 'Be brief.' }, ...items().input] } },
  { path: 'input[].role: developer', says: { input: [{ role: 'developer', content: 'Be brief.' }, ...items().input] } },
  { path: 'input[].content[]: input_image (data)', says: items({ type: 'input_image', image_url: IMAGE }) },
  {
    path: 'input[].content[]: input_image (https)',
    says: items({ type: 'input_image', image_url: 'https://example.com/a.png' }),
  },
  {
    path: 'input[].content[].detail',
    beside: items({ type: 'input_image', image_url: IMAGE }),
    says: items({ type: 'input_image', image_url: IMAGE, detail: 'low' }),
  },
  { path: 'input[].content[].file_id: image', says: items({ type: 'input_image', file_id: 'file-1' }) },
  { path: 'input[].content[].file_data', says: items({ type: 'input_file', file_data: PDF, filename: 'a.pdf' }) },
  { path: 'input[].content[].file_url', says: items({ type: 'input_file', file_url: 'https://example.com/a.pdf' }) },
  { path: 'input[].content[].file_id: file', says: items({ type: 'input_file', file_id: 'file-1' }) },
  {
    path: 'input[]: function_call, function_call_output',
    beside: responsesTools,
    says: {
      input: [
        ...items().input,
        { type: 'function_call', call_id: 'call_1', name: 'get_weather', arguments: '{"city":"Berlin"}' },
        { type: 'function_call_output', call_id: 'call_1', output: '20 °C' },
      ],
    },
  },
  {
    path: 'input[]: reasoning',
    says: {
      input: [{ type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAA-simulated-1' }, ...items().input],
    },
  },
  { path: 'input[]: item_reference', says: { input: [{ type: 'item_reference', id: 'msg_1' }, ...items().input] } },
  { path: 'max_output_tokens', says: { max_output_tokens: 77 } },
  { path: 'temperature', says: { temperature: 0.3 } },
  { path: 'top_p', says: { top_p: 0.4 } },
  { path: 'top_logprobs', says: { top_logprobs: 2 } },
  { path: 'include: message.output_text.logprobs', says: { include: ['message.output_text.logprobs'] } },
  { path: 'include: reasoning.encrypted_content', says: { include: ['reasoning.encrypted_content'] } },
  { path: 'tools[]: function', says: responsesTools },
  {
    path: 'tools[].description',
    beside: responsesTools,
    says: { tools: [{ ...responsesTools.tools[0], description: 'About it.' }] },
  },
  { path: 'tools[].strict', beside: responsesTools, says: { tools: [{ ...responsesTools.tools[0], strict: true }] } },
  { path: 'tools[]: web_search', says: { tools: [{ type: 'web_search' }] } },
  { path: 'tools[]: mcp', says: { tools: [{ type: 'mcp', server_label: 'a', server_url: 'https://example.com' }] } },
  { path: 'tool_choice: auto', beside: responsesTools, says: { tool_choice: 'auto' }, unsaid: { cohere: DEFAULT } },
  { path: 'tool_choice: none', beside: responsesTools, says: { tool_choice: 'none' } },
  { path: 'tool_choice: required', beside: responsesTools, says: { tool_choice: 'required' } },
  {
    path: 'tool_choice: function',
    beside: responsesTools,
    says: { tool_choice: { type: 'function', name: 'get_weather' } },
  },
  { path: 'parallel_tool_calls: false', beside: responsesTools, says: { parallel_tool_calls: false } },
  { path: 'max_tool_calls', says: { max_tool_calls: 3 } },
  { path: 'text.format: json_object', says: { text: { format: { type: 'json_object' } } } },
  { path: 'text.format: json_schema', says: textFormat({}) },
  { path: 'text.format.description', beside: textFormat({}), says: textFormat({ description: 'About it.' }) },
  {
    path: 'text.format.strict',
    beside: textFormat({}),
    says: textFormat({ strict: true }),
    unsaid: { anthropic: 'always', cohere: 'always', gemini: 'always' },
  },
  { path: 'text.verbosity', says: { text: { verbosity: 'low' } } },
  ...['none', 'minimal', 'low', 'medium', 'high'].map((effort) => ({
    path: `reasoning.effort: ${effort}`,
    says: { reasoning: { effort } },
  })),
  {
    path: 'reasoning.summary',
    beside: { reasoning: { effort: 'low' } },
    says: { reasoning: { effort: 'low', summary: 'auto' } },
    unsaid: { cohere: 'always' },
  },
  { path: 'service_tier', says: { service_tier: 'flex' } },
  { path: 'user', says: { user: 'user-7' } },
  { path: 'safety_identifier', says: { safety_identifier: 'user-7' } },
  { path: 'metadata', says: { metadata: { team: 'a-team' } } },
  { path: 'store', says: { store: true } },
  { path: 'prompt_cache_key', says: { prompt_cache_key: 'cache-7' } },
  { path: 'truncation: auto', says: { truncation: 'auto' } },
  { path: 'prompt', says: { prompt: { id: 'pmpt_1' } } },
  { path: 'background', says: { background: true } },
  { path: 'conversation', says: { conversation: 'conv_1' } },
  { path: 'previous_response_id', says: { previous_response_id: 'resp_1' } },
];

const GLIDE: readonly Field[] = [
  {
    path: 'message_history',
    says: {
      message_history: [
        { role: 'user', content: 'one' },
        { role: 'assistant', content: 'two' },
      ],
    },
  },
  { path: 'message.name', says: { message: { role: 'user', content: 'hi', name: 'Ann' } } },
  { path: 'metadata', says: { metadata: { team: 'a-team' } }, unsaid: everyone('said again in the answer') },
  { path: 'id', says: { id: 'my-own' }, unsaid: everyone('said again in the answer') },
  ...SHARED,
  { path: 'any other', says: { n: 2 } },
];

export const FIELDS: Readonly<Record<CallerFormat, readonly Field[]>> = {
  chat: CHAT,
  messages: MESSAGES,
  responses: RESPONSES,
  glide: GLIDE,
};
