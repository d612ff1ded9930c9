const answer = await fetch('http://localhost:3000/llm/chat/v1/chat/completions', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] }),
});
const { id } = await answer.json();

// Later, when somebody knows how good it was: 0 is useless, 1 is as good as can be.
const receipt = await fetch('http://localhost:3000/llm/chat/feedback', {
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ id, score: 1 }),
});
const { target } = await receipt.json();
console.log(`${target} has learned`);
