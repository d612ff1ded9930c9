import cluster, { type Worker } from 'node:cluster';
import { aged, isNews, laterOf, type News } from './decide/health/news.ts';
import type { Store } from './store.ts';

/** How the workers of one host share what they know, over the channel that `node:cluster` has to its primary. */

/** What goes over the channel; anything else there is somebody else's. */
interface Message {
  readonly switchyard: 'join' | 'news';
  readonly news: readonly unknown[];
}

type Hear = Parameters<Store['join']>[0];

/**
 * A store for the routers of one worker: `createRouter({ store: clusterStore(), … })`. The primary has to relay:
 * `relayClusterNews()`. In a process that is no worker, and where nobody relays, its routers share with one another only.
 *
 * The workers of a host reach vendors by the same way, so that its word is `evidence`. It keeps no process alive, and holds on to its
 * routers for as long as the process lives.
 */
export const clusterStore = (): Store => {
  const { worker } = cluster;
  const members = new Set<Hear>();
  worker?.on('message', (message: unknown) => {
    if (isOurs(message)) for (const hear of members) hear(message.news);
  });
  return {
    trust: 'evidence',
    join(hear) {
      members.add(hear);
      if (worker !== undefined) send(worker, { switchyard: 'join', news: [] });
      return {
        tell(news) {
          if (worker !== undefined) send(worker, { switchyard: 'news', news });
          for (const other of members) if (other !== hear) other(news);
        },
      };
    },
  };
};

let isRelaying = false;

/**
 * Hands on what each worker tells to all others, and to those that start later what still holds. To be called in the primary, before
 * it forks; a second call changes nothing.
 *
 * @throws TypeError in a worker.
 */
export const relayClusterNews = (): void => {
  if (!cluster.isPrimary) throw new TypeError('relayClusterNews() is for the primary; a worker has clusterStore()');
  if (isRelaying) return;
  isRelaying = true;
  /** By key, and when it was told. One for each model and each key of the workers' routers. */
  const known = new Map<string, { readonly news: News; readonly atMs: number }>();

  const recall = (nowMs: number): News[] =>
    Array.from(known.values(), ({ news, atMs }) => aged(news, Math.max(0, nowMs - atMs)));

  cluster.on('message', (from: Worker, message: unknown) => {
    if (!isOurs(message)) return;
    const nowMs = performance.now();
    if (message.switchyard === 'join') {
      send(from, { switchyard: 'news', news: recall(nowMs) });
      return;
    }
    for (const news of message.news) {
      if (!isNews(news)) continue;
      const before = known.get(news.key);
      const then = before && aged(before.news, Math.max(0, nowMs - before.atMs));
      known.set(news.key, { news: laterOf(then, news), atMs: nowMs });
    }
    for (const worker of Object.values(cluster.workers ?? {})) {
      if (worker !== undefined && worker.id !== from.id) send(worker, message);
    }
  });
};

const isOurs = (message: unknown): message is Message =>
  typeof message === 'object' &&
  message !== null &&
  'switchyard' in message &&
  (message.switchyard === 'join' || message.switchyard === 'news') &&
  'news' in message &&
  Array.isArray(message.news);

/** To whoever is at the other end, if anybody still is: it may go at any moment. */
const send = (to: Worker, message: Message): void => {
  if (!to.isConnected()) return;
  try {
    to.send(message, () => {});
  } catch {
    // Gone in between.
  }
};
