import { createServer } from 'node:http';
import { switchyard } from '@switchyard/node';
import { router } from './router.ts';

const llm = switchyard(router);
const server = createServer((request, response) => {
  llm(request, response, () => response.writeHead(404).end());
});
server.listen(3000);
