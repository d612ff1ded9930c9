import OpenAI from 'openai';

const client = new OpenAI({ baseURL: 'http://localhost:3000/llm/chat/v1', apiKey: 'unused', maxRetries: 0 });

const stream = await client.chat.completions.create({
  model: 'chat',
  messages: [{ role: 'user', content: 'Hello' }],
  stream: true,
});
for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '');
