import { createServer } from 'node:http';
import { switchyard } from '@switchyard/node';
import { router } from './router.ts';
import { setup } from './setup.ts';

const llm = switchyard(router);
createServer((request, response) => llm(request, response, () => response.writeHead(404).end())).listen(
  setup.port,
  setup.host,
);
