/** The place by which a sender knows a page again, where a browser has storage and locks, and where it has not. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, it } from 'node:test';
import { pagePlace } from '../../src/browser/place.ts';
import { fromCode } from '../../src/identity/secret.ts';

const secret = fromCode({ nameplate: '7', password: 'three-right-words' });
const other = fromCode({ nameplate: '7', password: 'three-other-words' });

/** As in a browser: what is stored outlives a page, a lock does not. */
class FakeBrowser {
  readonly stored = new Map<string, string>();
  readonly held = new Set<string>();
  storage = true;
  readonly localStorage = {
    getItem: (name: string) => this.#allowed().get(name) ?? null,
    setItem: (name: string, text: string) => void this.#allowed().set(name, text),
  };
  readonly locks = {
    request: async (name: string, _: object, hold: (lock: object | null) => Promise<void> | undefined) => {
      if (this.held.has(name)) return hold(null);
      this.held.add(name);
      await hold({});
      this.held.delete(name);
    },
  };

  #allowed(): Map<string, string> {
    if (!this.storage) throw new DOMException('not for this site', 'SecurityError');
    return this.stored;
  }
}

const own = { navigator: Object.getOwnPropertyDescriptor(globalThis, 'navigator') };
let browser: FakeBrowser;
const give = (name: 'navigator' | 'localStorage', value: object) =>
  Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });

beforeEach(() => {
  browser = new FakeBrowser();
  give('navigator', { locks: browser.locks });
  give('localStorage', browser.localStorage);
});
afterEach(() => {
  Reflect.deleteProperty(globalThis, 'localStorage');
  Reflect.deleteProperty(globalThis, 'navigator');
  if (own.navigator) Object.defineProperty(globalThis, 'navigator', own.navigator);
});

/** One page's whole receive. */
async function once(of = secret): Promise<string> {
  const page = new AbortController();
  const place = await pagePlace(of, page.signal);
  page.abort();
  await new Promise((resolve) => setTimeout(resolve));
  return place;
}

it('is the same after a reload, and another for another code', async () => {
  const place = await once();
  assert.match(place, /^[0-9a-f]{32}$/);
  assert.equal(await once(), place);
  assert.notEqual(await once(other), place);
  assert.equal(browser.held.size, 0, 'the end of a receive lets go of it');
});

it('is another one in another browser, and what is stored tells no code', async () => {
  const place = await once();
  const [text] = browser.stored.values();
  assert.match(text!, /^[0-9a-f]{64}$/);
  browser.stored.clear();
  assert.notEqual(await once(), place);
});

it('two tabs that receive the same at once have one each, and the first gets its own again', async () => {
  const first = new AbortController();
  const place = await pagePlace(secret, first.signal);
  const second = await once();
  assert.notEqual(second, place);
  assert.notEqual(await once(), second, 'that of a second tab lasts as long as the tab');
  first.abort();
  await new Promise((resolve) => setTimeout(resolve));
  assert.equal(await once(), place);
});

it('without storage it lasts as long as the page', async () => {
  browser.storage = false;
  const place = await once();
  assert.equal(await once(), place);
  assert.equal(browser.stored.size, 0);
});

it('what is stored and makes no sense is replaced', async () => {
  browser.stored.set('beeline-place', '<script>');
  const place = await once();
  assert.equal(await once(), place);
  assert.match(browser.stored.get('beeline-place')!, /^[0-9a-f]{64}$/);
});

it('without locks there is a place all the same, and locks that fail hinder nothing', async () => {
  give('navigator', {});
  const place = await once();
  assert.equal(await once(), place);
  // As in a program of Node 20 that stands in for a browser.
  Reflect.deleteProperty(globalThis, 'navigator');
  assert.equal(await once(), place);
  give('navigator', { locks: { request: () => Promise.reject(new Error('no')) } });
  assert.match(await once(), /^[0-9a-f]{32}$/);
});
