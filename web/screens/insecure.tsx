import { Mark } from '../parts/basics.tsx';
import { Drop } from '../parts/drop.tsx';
import { say, sayWith } from '../words/index.ts';

/** Browsers give a page no cryptography unless it came over TLS or from this machine. */
export function Insecure() {
  return (
    <>
      <header class="top">
        <Mark />
        <span class="brand">Beeline</span>
      </header>
      <main data-state="insecure">
        <h1>{say('insecure.title')}</h1>
        <div class="card">
          <p role="alert">{say('insecure.what')}</p>
          <p>{sayWith('insecure.open', { https: <strong>https://</strong> })}</p>
          <p class="hint">
            {sayWith('insecure.owner', {
              command: <code>beeline server --tls-cert FILE --tls-key FILE</code>,
              receive: <code>beeline receive</code>,
            })}
          </p>
        </div>
      </main>
      <Drop words={say('drop.insecure')} />
    </>
  );
}
