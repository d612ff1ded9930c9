import { conform } from './matrix.ts';

conform('messages');
