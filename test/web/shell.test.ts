/** The page's own worker without a browser: what it answers from its store, and what it takes from other programs. */
import assert from 'node:assert/strict';
import test from 'node:test';

const ORIGIN = 'https://beeline.example';
const ASSET = '/assets/index-12345678.js';
type Listener = (event: Record<string, unknown>) => void;
const listeners = new Map<string, Listener>();
/** What the server answers; undefined where there is none. */
let server: ((path: string) => Response) | undefined;

Object.assign(globalThis, {
  ...{ SHELL: ['/', '/icon.svg', '/manifest.webmanifest', ASSET], SHELL_VERSION: 'test' },
  location: new URL(ORIGIN),
  addEventListener: (type: string, listener: Listener) => listeners.set(type, listener),
  caches: { open: async () => ({ match: async (path: string) => new Response(`kept ${path}`) }) },
  fetch: async ({ url }: { url: string }) => {
    if (!server) throw new TypeError('There is no network.');
    return server(new URL(url).pathname);
  },
});
// Node has no address that a path could be of.
Response.redirect = (url) => new Response(null, { status: 303, headers: { location: String(url) } });
await import('../../web/shell.worker.ts');

function ask(request: object): Promise<Response> | undefined {
  let answer: Promise<Response> | undefined;
  listeners.get('fetch')!({
    request,
    respondWith: (given: Promise<Response>) => {
      answer = Promise.resolve(given);
    },
    waitUntil: () => {},
  });
  return answer;
}
const get = async (path: string, mode = 'no-cors') =>
  (await ask({ method: 'GET', url: ORIGIN + path, mode }))?.text();

test('what has no hash in its name is the server’s while that answers, and the rest never changes', async () => {
  server = (path) => new Response(`new ${path}`);
  assert.equal(await get('/', 'navigate'), 'new /');
  for (const path of ['/icon.svg', '/manifest.webmanifest']) assert.equal(await get(path), `new ${path}`);
  assert.equal(await get(ASSET), `kept ${ASSET}`);
  for (const gone of [undefined, () => new Response('Bad gateway', { status: 502 })]) {
    server = gone;
    assert.equal(await get('/', 'navigate'), 'kept /');
    for (const path of ['/icon.svg', '/manifest.webmanifest']) assert.equal(await get(path), `kept ${path}`);
  }
  assert.equal(await get('/other'), undefined);
  assert.equal(await get('/icon.svg?x'), undefined);
});

/** A share whose form is read when the test says so. */
function share(form: FormData): { answer: Promise<string | null>; read: (fails?: Error) => void } {
  let read!: (fails?: Error) => void;
  const formData = new Promise<FormData>((resolve, reject) => {
    read = (fails) => (fails ? reject(fails) : resolve(form));
  });
  const request = { method: 'POST', url: `${ORIGIN}/share`, mode: 'navigate', formData: () => formData };
  const answer = ask(request)!.then(({ headers }) => headers.get('location'));
  return { answer, read };
}

/** What the page gets for it. */
function taken(location: string | null): { files: File[]; text: string } | undefined {
  let given: { files: File[]; text: string } | undefined;
  const postMessage = (data: typeof given) => {
    given = data;
  };
  listeners.get('message')!({
    data: new URL(location!, ORIGIN).searchParams.get('shared'),
    ports: [{ postMessage }],
  });
  return given;
}

const LOST = '/?shared=';
function form(text: string, files = 0): FormData {
  const made = new FormData();
  made.set('text', text);
  for (let at = 0; at < files; at++) made.append('files', new File([], `${at}`));
  return made;
}

test('a fifth share has no place while four are read or wait, and the page says that it did not arrive', async (t) => {
  // What waits is let go of after a minute.
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const four = ['a', 'b', 'c', 'd'].map((text) => share(form(text)));
  const fifth = share(form('e'));
  assert.equal(await fifth.answer, LOST);
  assert.equal(taken(LOST), undefined);
  for (const { read } of four.slice(0, 3)) read();
  four[3]!.read(new TypeError('It broke off.'));
  const places = await Promise.all(four.map(({ answer }) => answer));
  assert.equal(places[3], LOST);
  // The place of the one that failed is free again.
  const sixth = share(form('f'));
  sixth.read();
  places[3] = await sixth.answer;
  assert.equal(await share(form('g')).answer, LOST);
  assert.deepEqual(
    places.map((place) => taken(place)?.text),
    ['a', 'b', 'c', 'f'],
  );
  assert.equal(taken(places[0]!), undefined, 'it is there once');
});

test('what is too much is refused, and not cut', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const [text, files, lost] of [
    ['x'.repeat(1_000_001), 0, true],
    ['', 10_001, true],
    ['x'.repeat(1_000_000), 10_000, false],
  ] as const) {
    const { answer, read } = share(form(text, files));
    read();
    const place = await answer;
    assert.equal(place === LOST, lost);
    if (lost) continue;
    const { files: all, text: whole } = taken(place)!;
    assert.deepEqual([all.length, whole.length], [files, text.length]);
  }
});

test('a notification that is clicked brings back the page that told it, or another, or opens one', async () => {
  const done: string[] = [];
  const page = (url: string) => ({ url, focus: async () => void done.push(`focus ${url}`) });
  let pages = [page(`${ORIGIN}/`), page(`${ORIGIN}/#a`)];
  const clients = {
    matchAll: async () => pages,
    openWindow: async (url: string) => void done.push(`open ${url}`),
  };
  Object.assign(globalThis, { clients });
  const click = async (data: unknown) => {
    let over: Promise<unknown> | undefined;
    listeners.get('notificationclick')!({
      notification: { data, close: () => done.push('close') },
      waitUntil: (promise: Promise<unknown>) => {
        over = promise;
      },
    });
    await over;
  };
  await click(`${ORIGIN}/#a`);
  await click(`${ORIGIN}/#gone`);
  pages = [];
  await click(undefined);
  assert.deepEqual(done, [
    ...['close', `focus ${ORIGIN}/#a`, 'close', `focus ${ORIGIN}/`],
    ...['close', 'open /'],
  ]);
});
