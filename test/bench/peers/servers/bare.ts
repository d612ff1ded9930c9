import { createServer } from 'node:http';
import { proxy } from './proxy.ts';
import { setup } from './setup.ts';

// The limit: no framework.

createServer(proxy).listen(setup.port, setup.host);
