import { useEffect, useState } from 'preact/hooks';
import type { OfferSummary } from '../../src/browser/light.ts';
import { deviceKind, deviceName } from '../model/device.ts';
import type { Transferring } from '../model/view.ts';
import { contentsWords, shortPrint } from '../model/words.ts';
import type { Page } from '../page.ts';
import { Button, Details, Dock, Heading, NoteLine } from '../parts/basics.tsx';
import { Line, thisDevice } from '../parts/line.tsx';
import { Offered } from '../parts/offered.tsx';
import { room } from '../platform.ts';
import { say } from '../words/index.ts';
import { size } from '../words/numbers.ts';

/** Nothing is stored before the person has said yes to this. */
export function OfferScreen({ view, page }: { view: Transferring; page: Page }) {
  const offer = view.offer!;
  const { peer, kind } = offer;
  const known = { ...view.running.peer, ...peer };
  const isText = kind === 'text';
  // Of one large file a folder has nothing before all of it is there, so that what is kept here is worth more.
  const { opfs, folder } = page.able;
  const toFolder = folder && opfs && kind === 'files' && offer.files + offer.folders > 1;
  const device = deviceName(known) ?? say('device.there');
  return (
    <>
      <Heading>{say('offer.title')}</Heading>
      <p class="lead">{contentsWords(offer)}</p>
      <NoteLine note={view.note} />
      <div class="card">
        <Line from={{ label: device, kind: deviceKind(known) }} to={thisDevice()} motion="holds" />
        {!isText && <Offered id="offer-names" label={say('offer.list')} offer={offer} whole />}
        <Room offer={offer} page={page} toFolder={toFolder} />
        <Details label={say('offer.verify')}>
          <p class="hint">{say('offer.verifyHint')}</p>
          <p id="peer" class="hex">
            {shortPrint(peer.fingerprint)}
          </p>
        </Details>
      </div>
      <Dock>
        {toFolder && <Button label={say('offer.toFolder')} kind="primary" act={() => page.answerFolder()} />}
        <Button
          label={say('offer.yes')}
          kind={toFolder ? undefined : 'primary'}
          act={() => page.answer(true)}
        />
        <Button label={say('offer.no')} act={() => page.answer(false)} />
      </Dock>
    </>
  );
}

/** Where it will go, and whether it fits there. */
function Room({ offer, page, toFolder }: { offer: OfferSummary; page: Page; toFolder: boolean }) {
  const [free, setFree] = useState<number>();
  const { opfs } = page.able;
  const { bytes, kind, files, folders } = offer;
  const isAlone = files === 1 && folders === 0;
  useEffect(() => {
    if (opfs) void room().then(setFree);
  }, [opfs]);
  if (kind === 'text') return <p class="hint">{say('offer.toText')}</p>;
  if (!opfs) return <p class="note">{say('offer.toDownloads')}</p>;
  const little = free !== undefined && bytes !== null && bytes >= free;
  return (
    <>
      <p class="hint" id="room">
        {say(toFolder ? 'offer.either' : isAlone ? 'offer.byItself' : 'offer.toKept')}{' '}
        {free !== undefined && !little && say('offer.room', { size: size(free) })}
      </p>
      {little && <p class="note error">{say('offer.little', { size: size(free) })}</p>}
    </>
  );
}
