import { conform } from './matrix.ts';

conform('chat');
