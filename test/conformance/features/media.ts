import { expect } from 'vitest';
import type { Said } from '../callers.ts';
import { as, type Feature, leftOut, skipped } from '../feature.ts';

const DATA = 'iVBORw0KGgo=';
const IMAGE = `data:image/png;base64,${DATA}`;
const URL_OF_IMAGE = 'https://example.com/cat.png';
const PDF_DATA = 'JVBERi0xLjQK';
const PDF = `data:application/pdf;base64,${PDF_DATA}`;
const URL_OF_PDF = 'https://example.com/report.pdf';

type Parts = Exclude<
  Extract<NonNullable<NonNullable<Said['chat']>['messages']>[number], { role: 'user' }>['content'],
  string
>;

const shown = (parts: Parts): Pick<Said, 'chat' | 'glide'> => {
  const message = { role: 'user' as const, content: [{ type: 'text' as const, text: 'Look.' }, ...parts] };
  return { chat: { messages: [message] }, glide: { message } };
};

type Item = Extract<NonNullable<NonNullable<Said['responses']>['input']>, readonly unknown[]>[number];
type ResponsesParts = Exclude<Extract<Item, { role: 'user'; content: unknown }>['content'], string>;

const shownAsItem = (...parts: unknown[]): Pick<Said, 'responses'> => ({
  responses: {
    input: [{ role: 'user', content: [{ type: 'input_text', text: 'Look.' }, ...(parts as ResponsesParts)] }],
  },
});

type Block = Exclude<NonNullable<NonNullable<Said['messages']>['messages']>[number]['content'], string>[number];

const shownAsBlock = (...blocks: Block[]): Pick<Said, 'messages'> => ({
  messages: { messages: [{ role: 'user', content: [{ type: 'text', text: 'Look.' }, ...blocks] }] },
});

const content = (part: object) => as({ messages: [{ content: [{ type: 'text' }, part] }] });
const input = (part: object) => as({ input: [{ content: [{ type: 'input_text' }, part] }] });
const contents = (part: object) => as({ contents: [{ parts: [{ text: 'Look.' }, part] }] });

const sees: Feature['answer'] = ({ answer, status }) => {
  if (status === 200) expect(answer?.text).toContain('1 image');
};

const FETCHES =
  'Gemini takes the URLs of files that were uploaded to Google before; the router fetches nothing for a caller.';

export const MEDIA: readonly Feature[] = [
  {
    name: 'image by URL',
    says: {
      ...shown([{ type: 'image_url', image_url: { url: URL_OF_IMAGE } }]),
      ...shownAsBlock({ type: 'image', source: { type: 'url', url: URL_OF_IMAGE } }),
      ...shownAsItem({ type: 'input_image', image_url: URL_OF_IMAGE }),
    },
    at: {
      openai: content({ type: 'image_url', image_url: { url: URL_OF_IMAGE } }),
      responses: input({ type: 'input_image', image_url: URL_OF_IMAGE }),
      anthropic: content({ type: 'image', source: { type: 'url', url: URL_OF_IMAGE } }),
      cohere: content({ type: 'image_url', image_url: { url: URL_OF_IMAGE } }),
      gemini: skipped('image by URL', FETCHES),
    },
    answer: sees,
  },
  {
    name: 'image as data',
    says: {
      ...shown([{ type: 'image_url', image_url: { url: IMAGE } }]),
      ...shownAsBlock({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: DATA } }),
      ...shownAsItem({ type: 'input_image', image_url: IMAGE }),
    },
    at: {
      openai: content({ type: 'image_url', image_url: { url: IMAGE } }),
      responses: input({ type: 'input_image', image_url: IMAGE }),
      anthropic: content({ type: 'image', source: { type: 'base64', media_type: 'image/png', data: DATA } }),
      cohere: content({ type: 'image_url', image_url: { url: IMAGE } }),
      gemini: contents({ inlineData: { mimeType: 'image/png', data: DATA } }),
    },
    answer: sees,
  },
  {
    name: 'image in low detail',
    says: {
      ...shown([{ type: 'image_url', image_url: { url: IMAGE, detail: 'low' } }]),
      ...shownAsItem({ type: 'input_image', image_url: IMAGE, detail: 'low' }),
    },
    at: {
      openai: content({ type: 'image_url', image_url: { url: IMAGE, detail: 'low' } }),
      responses: input({ type: 'input_image', image_url: IMAGE, detail: 'low' }),
      anthropic: leftOut(
        'image detail',
        'It says how many tokens to spend on an image, which Anthropic decides itself.',
        {},
        'detail',
      ),
      cohere: content({ type: 'image_url', image_url: { url: IMAGE, detail: 'low' } }),
      gemini: leftOut(
        'image detail',
        'It says how many tokens to spend on an image, which Gemini decides for all of them at once.',
        {},
        'detail',
      ),
    },
    answer: sees,
  },
  {
    name: 'PDF as data',
    says: {
      ...shown([{ type: 'file', file: { file_data: PDF, filename: 'report.pdf' } }]),
      ...shownAsBlock({
        type: 'document',
        title: 'report.pdf',
        source: { type: 'base64', media_type: 'application/pdf', data: PDF_DATA },
      }),
      ...shownAsItem({ type: 'input_file', file_data: PDF, filename: 'report.pdf' }),
    },
    at: {
      openai: content({ type: 'file', file: { file_data: PDF, filename: 'report.pdf' } }),
      responses: input({ type: 'input_file', file_data: PDF, filename: 'report.pdf' }),
      anthropic: content({
        type: 'document',
        title: 'report.pdf',
        source: { type: 'base64', media_type: 'application/pdf', data: PDF_DATA },
      }),
      cohere: skipped('file part', 'Cohere reads no files.'),
      gemini: contents({ inlineData: { mimeType: 'application/pdf', data: PDF_DATA } }),
    },
  },
  {
    name: 'file by URL',
    says: {
      ...shownAsBlock({ type: 'document', source: { type: 'url', url: URL_OF_PDF } }),
      ...shownAsItem({ type: 'input_file', file_url: URL_OF_PDF }),
    },
    at: {
      openai: skipped('file by URL', 'Chat Completions take files as data or by their id.'),
      responses: input({ type: 'input_file', file_url: URL_OF_PDF }),
      anthropic: content({ type: 'document', source: { type: 'url', url: URL_OF_PDF } }),
      cohere: skipped('file part', 'Cohere reads no files.'),
      gemini: skipped('file by URL', FETCHES),
    },
  },
  {
    name: 'file by id',
    says: {
      ...shown([{ type: 'file', file: { file_id: 'file-1' } }]),
      ...shownAsItem({ type: 'input_file', file_id: 'file-1' }),
    },
    at: {
      openai: content({ type: 'file', file: { file_id: 'file-1' } }),
      responses: input({ type: 'input_file', file_id: 'file-1' }),
      anthropic: skipped('file by id', 'The file is at OpenAI.'),
      cohere: skipped('file part', 'The file is at OpenAI.'),
      gemini: skipped('file by id', 'The file is at OpenAI.'),
    },
  },
  {
    name: 'sound',
    says: shown([{ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }]),
    at: {
      openai: content({ type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }),
      responses: skipped('audio part', 'Responses take no sound.'),
      anthropic: skipped('audio part', 'Anthropic’s models do not hear.'),
      cohere: skipped('audio part', 'Cohere’s chat models do not hear.'),
      gemini: contents({ inlineData: { mimeType: 'audio/wav', data: 'UklGRg==' } }),
    },
  },
];
