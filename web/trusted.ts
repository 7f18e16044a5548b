/**
 * The page's one Trusted Types policy: it lets through the addresses of the page's own three workers, which are fixed when it
 * is built, and nothing else. No text becomes a script, and no text becomes HTML.
 */
import storage from '../src/browser/files/storage.worker.ts?worker&url';
import type { Workers } from '../src/browser/light.ts';

/** Fixed, since a service worker that changed its address would be another one beside the old. */
const DOWNLOAD = '/download.worker.js';
const SCOPE = '/download/';
const SHELL = '/shell.worker.js';
const ALLOWED: ReadonlySet<string> = new Set([storage, DOWNLOAD, SHELL]);

/** Not in lib.dom. https://www.w3.org/TR/trusted-types/ */
interface Factory {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}

const { trustedTypes } = globalThis as { trustedTypes?: Factory };
const policy = trustedTypes?.createPolicy('beeline', { createScriptURL: own });

function own(url: string): string {
  if (!ALLOWED.has(url)) throw new TypeError('This is not an address of a worker of this page.');
  return url;
}

/** For browsers that have Trusted Types an object, for others the text: lib.dom knows only the latter. */
function scriptUrl(url: string): string {
  return policy ? (policy.createScriptURL(url) as string) : own(url);
}

export const workers: Workers = {
  storage: () => new Worker(scriptUrl(storage), { type: 'module', name: 'storage' }),
  register: () => navigator.serviceWorker.register(scriptUrl(DOWNLOAD), { scope: SCOPE }),
};

/** Rejects where the browser has none, or does not trust the server's certificate. */
export const registerShell = (): Promise<ServiceWorkerRegistration> =>
  navigator.serviceWorker.register(scriptUrl(SHELL), { scope: '/' });
