// The conversation. What vendors say only ever becomes text nodes.

import { ask } from './chat.js';
import { refresh, watchVendors } from './vendors.js';

/** @param {string} id @returns {any} */
const byId = (id) => document.getElementById(id);
const [composer, message, send, stop, routes] = ['composer', 'message', 'send', 'stop', 'routes'].map(byId);
const [messages, scroller, welcome, status] = ['messages', 'scroller', 'welcome', 'status'].map(byId);

/** Questions that were answered, with their answers: what the next request sends along. */
const history = /** @type {{ role: 'user' | 'assistant', content: string }[]} */ ([]);

/** Stops the answer under way. @type {AbortController | undefined} */
let running;

/** @param {string} text */
const converse = async (text) => {
  const question = { role: /** @type {const} */ ('user'), content: text };
  const answer = addMessages(text);
  const controller = new AbortController();
  let said = '';
  show(controller);
  try {
    for await (const event of ask(chosenRoute(), [...history, question], controller.signal)) {
      if (event.type === 'served') {
        answer.served(event.served);
      } else {
        said += event.text;
        answer.add(event.text);
      }
    }
    answer.end();
    history.push(question, { role: 'assistant', content: said });
  } catch (error) {
    answer.fail(controller.signal.aborted ? 'You stopped it.' : error instanceof Error ? error.message : String(error));
  } finally {
    show(undefined);
    await refresh();
  }
};

/** @param {AbortController | undefined} controller */
const show = (controller) => {
  running = controller;
  const focused = [send, stop].includes(document.activeElement);
  send.hidden = controller !== undefined;
  stop.hidden = controller === undefined;
  // A button that is hidden loses the focus, and the keyboard its place.
  if (focused) (controller === undefined ? message : stop).focus();
};

/** A question, and the place for its answer. @param {string} asked */
const addMessages = (asked) => {
  const text = make('p', 'text waiting');
  const trail = make('div', 'trail');
  const answer = make('li', 'answer', text, trail);
  welcome.hidden = true;
  messages.append(make('li', 'question', make('p', 'text', asked)), answer);
  scroller.scrollTop = scroller.scrollHeight;
  let server = 'Nobody';

  /** @param {() => void} change */
  const following = (change) => {
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
    change();
    if (atEnd) scroller.scrollTop = scroller.scrollHeight;
  };

  return {
    /** @param {import('./chat.js').Served} served */
    served: (served) => {
      server = served.target ?? server;
      following(() => showTrail(trail, served));
    },
    /** @param {string} piece */
    add: (piece) =>
      following(() => {
        text.classList.remove('waiting');
        text.append(piece);
      }),
    end: () => {
      text.classList.remove('waiting');
      status.textContent = `${server} answered: ${text.textContent}`;
    },
    /** What was said until now stays, but not as an answer. @param {string} reason */
    fail: (reason) =>
      following(() => {
        text.classList.remove('waiting');
        answer.classList.add('failed');
        const step = trail.querySelector('[data-outcome="answered"]');
        step?.setAttribute('data-outcome', 'broke-off');
        step?.append(', then broke off');
        text.after(make('p', 'failure', step === null ? reason : `Not a whole answer. ${reason}`));
        if (step === null) text.remove();
        status.textContent = `Failed. ${reason}`;
      }),
  };
};

/** @param {HTMLElement} trail @param {import('./chat.js').Served} served */
const showTrail = (trail, { target, attempts, trail: steps }) => {
  const count = `${attempts} attempt${attempts === 1 ? '' : 's'}`;
  const summary = target === null ? [count] : [make('strong', 'server', target), ` after ${count}`];
  const asked = steps.filter(({ outcome }) => outcome !== undefined);
  const skipped = steps.filter(({ skipped }) => skipped !== undefined);
  const items = asked.map(({ target: name, outcome = '', status: code, ms }) => {
    const said = [outcome, code].filter((part) => part !== undefined).join(' ');
    const item = make('li', 'step', make('b', '', name), ` ${said}\u00a0·\u00a0${ms}\u00a0ms`);
    item.dataset.outcome = outcome;
    return item;
  });
  if (attempts > 0) trail.append(make('p', 'summary', ...summary));
  if (items.length > 0) trail.append(make('ol', 'steps', ...items));
  if (skipped.length > 0) {
    const names = skipped.map(({ target: name, skipped: why }) => `${name} (${why})`);
    trail.append(make('p', 'skipped', `Not asked: ${names.join(', ')}`));
  }
};

/**
 * @param {string} tag
 * @param {string} className
 * @param {...(string | Node)} children
 */
const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...children);
  return element;
};

const chosenRoute = () => routes.querySelector('input:checked')?.value ?? 'chat';

const showRoutes = async () => {
  const { routes: known } = await (await fetch('/llm/routes')).json();
  for (const { name, strategy } of known) {
    const radio = Object.assign(document.createElement('input'), { type: 'radio', name: 'route', value: name });
    radio.checked = name === known[0].name;
    routes.append(make('label', 'route', radio, make('span', '', name), make('small', '', strategy)));
  }
};

const submit = () => {
  const text = message.value.trim();
  if (text === '' || running !== undefined) return;
  message.value = '';
  void converse(text);
};

composer.addEventListener('submit', (/** @type {Event} */ event) => {
  event.preventDefault();
  submit();
});
message.addEventListener('keydown', (/** @type {KeyboardEvent} */ event) => {
  // Enter that ends a composition, in Japanese say, is not meant to send.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  submit();
});
stop.addEventListener('click', () => running?.abort());

void showRoutes();
void watchVendors();
