// The panel of vendors: how each stands with the router, and a switch to break it.

/** The faults to choose from, in the simulator's words. */
const FAULTS = [
  { name: '503, overloaded', fault: { kind: 'status', status: 503 } },
  { name: '500, every other call', fault: { kind: 'status', status: 500, probability: 0.5 } },
  {
    name: '429, “retry after 8 s”',
    fault: { kind: 'status', status: 429, retryAfter: { form: 'seconds', ms: 8_000 } },
  },
  { name: 'connection refused', fault: { kind: 'refuse' } },
  { name: 'connection reset', fault: { kind: 'reset' } },
  { name: 'no answer at all', fault: { kind: 'hang-before-headers' } },
  { name: '200, then silence', fault: { kind: 'hang-after-headers' } },
  { name: 'first token after 5 s', fault: { kind: 'slow-first-token', ms: 5_000 } },
  { name: '200 with an error inside', fault: { kind: 'error-before-content' } },
  { name: '200 with a web page', fault: { kind: 'html' } },
  { name: 'cut in mid-answer', fault: { kind: 'cut', afterEvents: 12 } },
  { name: 'silence in mid-answer', fault: { kind: 'stall', afterEvents: 12 } },
  { name: '400, prompt too long', fault: { kind: 'context-length' } },
];

/** @type {Record<string, string>} */
const NAMES = { openai: 'OpenAI', anthropic: 'Anthropic', google: 'Google', cohere: 'Cohere' };

const EVERY_MS = 1_000;

const list = /** @type {HTMLElement} */ (document.querySelector('#vendors'));
const template = /** @type {HTMLTemplateElement} */ (document.querySelector('#vendor-template'));
const offline = /** @type {HTMLElement} */ (document.querySelector('#offline'));

/** @type {Map<string, ReturnType<typeof addCard>>} */
const cards = new Map();
/** Grows with each fault that is set here: what was asked for before it is out of date. */
let changes = 0;

/** Shows the vendors, and keeps on showing how they are. */
export const watchVendors = async () => {
  await refresh();
  setTimeout(watchVendors, EVERY_MS);
};

/** Shows how the vendors are now. */
export const refresh = async () => {
  if (document.hidden) return;
  const asOf = changes;
  try {
    const { simulated } = await getJson('/simulated.json');
    const [{ routes }, { vendors }] = await Promise.all([
      getJson('/llm/routes'),
      simulated.length > 0 ? getJson('/_simulator') : { vendors: {} },
    ]);
    offline.hidden = true;
    if (asOf !== changes) return;
    // A target in two routes is one target, and stands the same in both.
    for (const target of routes.flatMap((/** @type {any} */ route) => route.targets)) {
      const card = cards.get(target.id) ?? addCard(target, simulated.includes(target.vendor));
      cards.set(target.id, card);
      card.show(target, vendors[target.vendor]);
    }
  } catch {
    offline.hidden = false;
  }
};

/** @param {string} url */
const getJson = async (url) => {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
};

/** @param {{ vendor: string, model: string }} target @param {boolean} breakable */
const addCard = ({ vendor, model }, breakable) => {
  const name = NAMES[vendor] ?? vendor;
  const card = /** @type {HTMLElement} */ (/** @type {Element} */ (template.content.firstElementChild).cloneNode(true));
  /** @param {string} selector @returns {any} */
  const find = (selector) => card.querySelector(selector);
  const [works, kind] = [find('input'), find('select')];
  card.dataset.vendor = vendor;
  find('.vendor-name').textContent = name;
  find('.model').textContent = model;
  works.setAttribute('aria-label', `${name} works`);
  kind.setAttribute('aria-label', `${name} fails with`);
  kind.append(...FAULTS.map(({ name: label }, i) => new Option(label, String(i))));
  for (const part of ['.switch', '.fault']) find(part).hidden = !breakable;
  list.append(card);

  /** @param {{ fault: unknown, calls: number }} simulated */
  const showFault = ({ fault, calls }) => {
    works.checked = fault === null;
    card.classList.toggle('broken', fault !== null);
    find('.calls').textContent = `${calls} call${calls === 1 ? '' : 's'}`;
    if (fault === null) return;
    const known = FAULTS.findIndex((each) => JSON.stringify(each.fault) === JSON.stringify(fault));
    // Somebody may have set another one, with curl.
    if (known >= 0) kind.value = String(known);
    else kind.selectedIndex = -1;
  };

  const change = async () => {
    const fault = works.checked ? null : FAULTS[Math.max(0, kind.selectedIndex)]?.fault;
    changes += 1;
    try {
      const response = await fetch(`/_simulator/${vendor}`, { method: 'PUT', body: JSON.stringify({ fault }) });
      if (response.ok) showFault(await response.json());
    } finally {
      changes += 1;
      await refresh();
    }
  };
  works.addEventListener('change', change);
  kind.addEventListener('change', () => works.checked || change());

  return {
    /** @param {any} target @param {{ fault: unknown, calls: number } | undefined} simulated */
    show(target, simulated) {
      const standing = find('.standing');
      standing.dataset.standing = target.standing;
      setText(standing, describe(target));
      if (breakable && simulated !== undefined) showFault(simulated);
      else find('.calls').textContent = 'the real one';
    },
  };
};

/** @param {{ standing: string, reason?: string, dueInMs?: number }} target */
const describe = ({ standing, reason, dueInMs = 0 }) => {
  const because = reason === undefined ? '' : `: ${reason}`;
  if (standing === 'ready') return 'Ready';
  if (standing === 'probing') return `Being probed${because}`;
  if (dueInMs > 0) return `Left alone${because}, due in ${Math.ceil(dueInMs / 1_000)} s`;
  return `Due${because}, the next request probes it`;
};

/** Leaves the element alone when nothing changes. @param {HTMLElement} element @param {string} text */
const setText = (element, text) => {
  if (element.textContent !== text) element.textContent = text;
};
