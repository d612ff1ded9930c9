import { router } from './router.ts';

const { ranking, skipped } = router.explain('chat', {
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
});
for (const { target, role, lateAfterMs } of ranking) console.log(`${role}: ${target}, late after ${lateAfterMs} ms`);
for (const { target, reason } of skipped) console.log(`not ${target}: ${reason}`);

for (const { name, targets } of router.snapshot()) {
  for (const { id, standing, headroom = 1 } of targets) console.log(`${name}: ${id} is ${standing}, ${headroom} left`);
}
