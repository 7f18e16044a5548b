/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { arrived, loadSoon } from './engine.ts';
import { onLaunch } from './launch.ts';
import { Page } from './page.ts';
import { onlyReceives } from './platform.ts';
import { Insecure } from './screens/insecure.tsx';
import { keepShell } from './shell.ts';
import { speakAsWished } from './speaking.ts';

const root = document.getElementById('app')!;

/** Not awaited by this module itself: what is loaded meanwhile may import from it, and would wait for it. */
async function begin(): Promise<void> {
  await speakAsWished();
  if (!isSecureContext || !globalThis.crypto?.subtle) {
    render(<Insecure />, root);
  } else {
    const able = arrived.then(({ abilities }) => abilities());
    const page = new Page(able, onlyReceives());
    render(<App page={page} />, root);
    loadSoon();
    if (!page.receiving) {
      onLaunch({
        files: (files) => page.addPasted(files),
        text: (text) => page.addText(text),
        receive: () => document.getElementById('code-to-receive')?.focus(),
        fault: (thrown) => page.shown.fault(thrown),
      });
      // What it keeps is fetched from this browser's cache, once it is all there.
      void arrived.then(keepShell);
    }
  }
}

void begin();
