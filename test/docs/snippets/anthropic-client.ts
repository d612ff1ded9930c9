import Anthropic from '@anthropic-ai/sdk';

const client = new Anthropic({ baseURL: 'http://localhost:3000/llm/chat', apiKey: 'unused', maxRetries: 0 });

const stream = client.messages.stream({
  model: 'chat',
  max_tokens: 200,
  messages: [{ role: 'user', content: 'Hello' }],
});
stream.on('text', (text) => process.stdout.write(text));
await stream.finalMessage();
