/** Starts the page. */
import { render } from 'preact';
import { abilities, useWorkers } from '../src/browser/index.ts';
import { App } from './app.tsx';
import { Page } from './page.ts';
import { onlyReceives } from './platform.ts';
import { Insecure } from './screens/insecure.tsx';
import { workers } from './trusted.ts';

const root = document.getElementById('app')!;

if (!isSecureContext || !globalThis.crypto?.subtle) {
  render(<Insecure />, root);
} else {
  useWorkers(workers);
  render(<App page={new Page(abilities(), onlyReceives())} />, root);
}
