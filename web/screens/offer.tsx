import { useEffect, useState } from 'preact/hooks';
import { escapeName, formatBytes, type OfferSummary } from '../../src/browser/light.ts';
import { contentsWords, shortPrint } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Heading } from '../parts/basics.tsx';
import { room } from '../platform.ts';

/** Nothing is stored before the person has said yes to this. */
export function OfferScreen({ offer, page }: { offer: OfferSummary; page: Page }) {
  const { names, peer, kind } = offer;
  const isText = kind === 'text';
  return (
    <>
      <Heading>Do you want to receive this?</Heading>
      <div class="card">
        <p class="big">{contentsWords(offer)}</p>
        <ul id="offer-names">
          {isText ? (
            <li>Text</li>
          ) : (
            names.map((name) => (
              <li key={name}>
                <bdi>{escapeName(name)}</bdi>
              </li>
            ))
          )}
        </ul>
        <p class="hint">
          From{' '}
          <span id="peer">
            {peer.name === undefined ? shortPrint(peer.fingerprint) : escapeName(peer.name)}
          </span>
          , who has the same code as you.
        </p>
        {!isText && <Room bytes={offer.bytes} page={page} />}
        <div class="buttons">
          <Button label="Receive" kind="primary" act={() => page.answer(true)} />
          <Button label="Decline" act={() => page.answer(false)} />
        </div>
      </div>
    </>
  );
}

/** What the person should know of this browser before saying yes. */
function Room({ bytes, page }: { bytes: number | null; page: Page }) {
  const [free, setFree] = useState<number>();
  const { opfs } = page.able;
  useEffect(() => {
    if (opfs) void room().then(setFree);
  }, [opfs]);
  if (!opfs)
    return (
      <p class="note">
        This browser cannot keep unfinished files. What arrives goes straight to your downloads, so keep this
        page open to the end.
      </p>
    );
  if (free === undefined || bytes === null || bytes < free) return null;
  return <p class="note error">This browser may have room for only {formatBytes(free)}.</p>;
}
