/** Starts the page. */
import { render } from 'preact';
import { App } from './app.tsx';
import { arrived, loadSoon } from './engine.ts';
import { Page } from './page.ts';
import { onlyReceives } from './platform.ts';
import { Insecure } from './screens/insecure.tsx';

const root = document.getElementById('app')!;

if (!isSecureContext || !globalThis.crypto?.subtle) {
  render(<Insecure />, root);
} else {
  const able = arrived.then(({ abilities }) => abilities());
  render(<App page={new Page(able, onlyReceives())} />, root);
  loadSoon();
}
