import { type ChatRequest, isRouterError } from '@switchyard/core';
import { router } from './router.ts';

const request: ChatRequest = {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
  maxOutputTokens: 200,
};

try {
  const answer = await router.chat('chat', request, { deadlineMs: 10_000 });
  console.log(answer.served.target.id, answer.text);

  for await (const event of router.stream('chat', request)) {
    if (event.type === 'text') process.stdout.write(event.text);
  }
} catch (error) {
  if (!isRouterError(error)) throw error;
  console.error(error.code, error.attempts);
}
