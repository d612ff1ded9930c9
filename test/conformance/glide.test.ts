import { conform } from './matrix.ts';

conform('glide');
