import { createRouter } from '@switchyard/core';
import { openai } from '@switchyard/core/openai';

const model = 'text-embedding-3-small';
const space = 'text-embedding-3-small@1536'; // a name of yours; the number holds all vectors to that length

export const router = createRouter({
  routes: {
    vectors: {
      pool: [
        openai(model, { space }),
        openai(model, {
          space,
          id: 'eu',
          apiKey: process.env.OPENAI_EU_KEY,
          baseURL: 'https://eu.api.openai.com/v1',
        }),
      ],
    },
  },
});

const { vectors, served } = await router.embed('vectors', { inputs: ['Hello', 'Good morning'] });
console.log(served.target.id, vectors.length);
