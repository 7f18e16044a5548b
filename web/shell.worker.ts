/**
 * The service worker of the page itself. It keeps what the page consists of, so that an installed page opens without its server, and it
 * takes what another program shares with it. Everything else goes past it: no request of a transfer, no other origin, no answer that
 * the build did not list. Each build has a store of its own, filled whole or not at all; the old one goes when no old page is open.
 */

interface ExtendableEvent extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  respondWith(response: Response | Promise<Response>): void;
}
interface MessageToWorker extends ExtendableEvent {
  readonly data: unknown;
  readonly ports: readonly MessagePort[];
}
interface NotificationEvent extends ExtendableEvent {
  readonly notification: Notification;
}
interface WindowClient {
  readonly url: string;
  focus(): Promise<unknown>;
}
interface ShellScope {
  readonly location: Location;
  readonly clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly WindowClient[]>;
    openWindow(url: string): Promise<unknown>;
  };
  addEventListener(type: 'install' | 'activate', listener: (event: ExtendableEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
  addEventListener(type: 'notificationclick', listener: (event: NotificationEvent) => void): void;
  addEventListener(type: 'message', listener: (event: MessageToWorker) => void): void;
}

/** What another program shared: until the page takes it, and no longer than `KEPT_FOR`. */
interface Shared {
  files: File[];
  text: string;
  taken: () => void;
}

/** Written by the build: the paths of the page's files, and a hash over them all. */
declare const SHELL: readonly string[];
declare const SHELL_VERSION: string;

const scope = globalThis as unknown as ShellScope;
const PREFIX = 'beeline-shell-';
const STORE = PREFIX + SHELL_VERSION;
const PAGE = '/';
const SHARE = '/share';
/** Milliseconds for the document from a server that is slow, before the one that is kept is shown; for icon and manifest too. */
const PATIENCE = 4_000;
/** Milliseconds for a page to open and ask for what was shared. */
const KEPT_FOR = 60_000;
/** Shares that wait at a time, files of one, and characters of a text. */
const MOST_WAITING = 4;
const MOST_FILES = 10_000;
const MOST_TEXT = 1_000_000;

/** Opens the page, which asks for nothing that is here, and says that it did not arrive. */
const LOST = `${PAGE}?shared=`;

const waiting = new Map<string, Shared>();
/** Shares that are still being read, and have their places among those that wait. */
let coming = 0;

scope.addEventListener('install', (event) => event.waitUntil(fill()));

scope.addEventListener('activate', (event) => event.waitUntil(removeOthers()));

scope.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== scope.location.origin) return;
  if (request.method === 'POST' && url.pathname === SHARE && request.mode === 'navigate')
    return event.respondWith(take(event));
  if (request.method !== 'GET') return;
  if (request.mode === 'navigate') {
    if (url.pathname === PAGE) event.respondWith(fresh(PAGE, request));
    return;
  }
  const path = url.pathname;
  if (url.search !== '' || !SHELL.includes(path)) return;
  event.respondWith(neverChanges(path) ? kept(path, request) : fresh(path, request));
});

scope.addEventListener('message', ({ data, ports }) => {
  const [port] = ports;
  if (typeof data !== 'string' || !port) return;
  const shared = waiting.get(data);
  waiting.delete(data);
  port.postMessage(shared && { files: shared.files, text: shared.text });
  shared?.taken();
});

scope.addEventListener('notificationclick', (event) => {
  const { notification } = event;
  notification.close();
  event.waitUntil(bringBack(notification.data));
});

/** The page that told it, or another one of this site. */
async function bringBack(from: unknown): Promise<void> {
  const pages = await scope.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const page = pages.find(({ url }) => url === from) ?? pages[0];
  await (page ? page.focus() : scope.clients.openWindow(PAGE));
}

/** Its name has a hash of it. The document, the icon and the manifest have no such name. */
const neverChanges = (path: string): boolean => path.startsWith('/assets/');

async function fill(): Promise<void> {
  const store = await caches.open(STORE);
  await store.addAll(
    SHELL.map((path) => new Request(path, { cache: neverChanges(path) ? 'default' : 'reload' })),
  );
}

async function removeOthers(): Promise<void> {
  const names = await caches.keys();
  const old = names.filter((name) => name.startsWith(PREFIX) && name !== STORE);
  await Promise.all(old.map((name) => caches.delete(name)));
}

/** It is the server's, so that a new one is seen at once; the kept one is for when none comes in time, or the server has trouble. */
async function fresh(path: string, request: Request): Promise<Response> {
  const store = await caches.open(STORE);
  let late: ReturnType<typeof setTimeout> | undefined;
  const patience = new Promise<undefined>((resolve) => {
    late = setTimeout(() => resolve(undefined), PATIENCE);
  });
  const fetched = fetch(request);
  const answer = await Promise.race([fetched.catch(() => undefined), patience]);
  clearTimeout(late);
  // A gateway whose server is away has an answer too.
  if (answer && answer.status < 500) return answer;
  return (await store.match(path)) ?? answer ?? fetched;
}

async function kept(path: string, request: Request): Promise<Response> {
  const store = await caches.open(STORE);
  return (await store.match(path)) ?? fetch(request);
}

/** Keeps what is shared in memory for the page that this answer opens. It is sent nowhere. */
async function take(event: FetchEvent): Promise<Response> {
  if (waiting.size + coming >= MOST_WAITING) return Response.redirect(LOST, 303);
  coming++;
  try {
    const form = await event.request.formData();
    const files = form.getAll('files').filter((each) => each instanceof File);
    const texts = ['title', 'text', 'url'].map((name) => form.get(name));
    const text = texts.filter((each) => typeof each === 'string' && each !== '').join('\n');
    // Half of it would look like all.
    if (files.length > MOST_FILES || text.length > MOST_TEXT) return Response.redirect(LOST, 303);
    const id = crypto.randomUUID();
    const claimed = new Promise<void>((taken) => {
      waiting.set(id, { files, text, taken });
      setTimeout(() => {
        waiting.delete(id);
        taken();
      }, KEPT_FOR);
    });
    event.waitUntil(claimed);
    return Response.redirect(`${PAGE}?shared=${id}`, 303);
  } catch {
    return Response.redirect(LOST, 303);
  } finally {
    coming--;
  }
}
