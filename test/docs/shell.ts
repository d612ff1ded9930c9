/** One command as a POSIX shell would read it: words, with quotes taken off. Enough for what pages show. */
const wordsOf = (command: string): string[] => {
  const words: string[] = [];
  for (const [, bare = '', single, double] of command.matchAll(/([^\s'"]+)|'([^']*)'|"([^"]*)"/g)) {
    words.push(single ?? double ?? bare);
  }
  return words;
};

/** The commands of a block: comments are left out, and a line that ends in a backslash goes on in the next. */
export const commandsOf = (block: string): string[] =>
  block
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');

/** What `curl` would send. Knows the options that the pages use, and throws at any other. */
export const requestOfCurl = (command: string): Request => {
  const [program, ...words] = wordsOf(command);
  if (program !== 'curl') throw new Error(`not a curl command: ${command}`);
  const headers = new Headers();
  let method: string | undefined;
  let body: string | undefined;
  let url: string | undefined;
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    const value = (): string => words[++i] ?? '';
    if (word === '-X') method = value();
    else if (word === '-d') body = value();
    else if (word === '-H') {
      const [name = '', content = ''] = value().split(/:\s*/, 2);
      headers.set(name, content);
    } else if (/^-[isN]+$/.test(word)) continue;
    else if (word.startsWith('-') || url !== undefined) throw new Error(`curl: what is ${word}?`);
    else url = word.includes('://') ? word : `http://${word}`;
  }
  if (url === undefined) throw new Error(`curl: no address in: ${command}`);
  if (body === undefined) return new Request(url, { method: method ?? 'GET', headers });
  // As curl has it, so that a page which forgets the header fails here too.
  if (!headers.has('content-type')) headers.set('content-type', 'application/x-www-form-urlencoded');
  return new Request(url, { method: method ?? 'POST', headers, body });
};
