import { Mark } from '../parts/basics.tsx';
import { Drop } from '../parts/drop.tsx';

/** Browsers give a page no cryptography unless it came over TLS or from this machine. */
export function Insecure() {
  return (
    <>
      <header class="top">
        <Mark />
      </header>
      <main data-state="insecure">
        <h1>Beeline</h1>
        <div class="card">
          <p role="alert">
            This page came over a connection that is not encrypted. The browser gives such a page no
            cryptography, so nothing can be sent or received safely here.
          </p>
          <p>
            Open the same address with <strong>https://</strong> in front. If that does not work, the owner of
            the server can start it with <code>beeline server --tls-cert FILE --tls-key FILE</code>. The
            command <code>beeline receive</code> works without https.
          </p>
        </div>
      </main>
      <Drop words="Nothing can be sent from here." />
    </>
  );
}
