import { conform } from './matrix.ts';

conform('responses');
