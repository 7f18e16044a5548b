/** What a page asked the network for, and what went wrong in it: errors, broken policies, unhandled rejections. */
import type { CDPSession, Page } from 'puppeteer-core';

/** Runs in every document before its own scripts. A string: what tsx compiles could not run in a page. */
const RECORDER = `
globalThis.__states = [];
globalThis.__violations = [];
addEventListener('securitypolicyviolation', (event) => {
  __violations.push(event.effectiveDirective + ' ' + event.blockedURI + ' ' + event.sample);
});
const note = () => {
  const state = document.querySelector('main')?.dataset.state;
  if (state !== undefined && state !== __states.at(-1)) __states.push(state);
};
new MutationObserver(note).observe(document, {
  subtree: true, childList: true, attributes: true, attributeFilter: ['data-state'],
});
`;

export class Watch {
  /** Every URL that the page itself asked for, WebSockets too (in Chromium). */
  readonly urls: string[] = [];
  /** Errors on the console, and exceptions that nobody caught. */
  readonly errors: string[] = [];
  /** Chromium only. */
  cdp: CDPSession | undefined;
  readonly #page: Page;

  private constructor(page: Page) {
    this.#page = page;
  }

  /** Watches a page that has not been told to go anywhere yet. */
  static async of(page: Page, chromium: boolean): Promise<Watch> {
    const watch = new Watch(page);
    page.on('console', (message) => {
      if (message.type() === 'error') watch.errors.push(message.text());
    });
    page.on('pageerror', (error) => watch.errors.push(`uncaught: ${String(error)}`));
    // A page with a transfer asks before it is left: whoever reloads it here means to.
    page.on('dialog', (dialog) => void dialog.accept());
    page.on('request', (request) => watch.urls.push(request.url()));
    if (chromium) {
      watch.cdp = await page.createCDPSession();
      await watch.cdp.send('Network.enable');
      watch.cdp.on('Network.webSocketCreated', ({ url }) => watch.urls.push(url));
    }
    await page.evaluateOnNewDocument(RECORDER);
    return watch;
  }

  /** What the content security policy or Trusted Types kept the document from. */
  async violations(): Promise<string[]> {
    return (await this.#page.evaluate('globalThis.__violations ?? []')) as string[];
  }

  /** The states that the document has shown, in order. */
  async states(): Promise<string[]> {
    return (await this.#page.evaluate('globalThis.__states ?? []')) as string[];
  }
}
