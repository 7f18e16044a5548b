/** The devices that this browser trusts: each is a tile to send to. */
import { useState } from 'preact/hooks';
import { escapeName, MOST_DEVICE_NAME, type PageDevice } from '../../src/browser/light.ts';
import { mustStay, type View } from '../model/view.ts';
import type { Page } from '../page.ts';
import { say, sayWith } from '../words/index.ts';
import { daysAgo } from '../words/numbers.ts';
import { Button, IconButton } from './basics.tsx';
import { Icon } from './icons.tsx';

/** That are shown at once. */
const MOST_TILES = 8;

/** At home, below what can be sent and received. */
export function KnownDevices({ page }: { page: Page }) {
  const { list } = page.known;
  const [edits, setEdits] = useState(false);
  if (page.receiving || list.length === 0) return null;
  return (
    <section class="card" aria-labelledby="known">
      <div class="cardhead">
        <h2 id="known">{say('known.title')}</h2>
        <Button label={say(edits ? 'known.done' : 'known.edit')} kind="quiet" act={() => setEdits(!edits)} />
      </div>
      {edits ? <Edit page={page} /> : <Tiles page={page} act={(device) => page.sendTo(device)} />}
    </section>
  );
}

/** Where something is chosen: it can go straight to one of them. */
export function SendStraight({ page }: { page: Page }) {
  if (page.known.list.length === 0 || page.to || page.toNear) return null;
  return (
    <section class="card" aria-labelledby="straight">
      <h2 id="straight">{say('known.straight')}</h2>
      <Tiles page={page} act={(device) => page.sendTo(device)} />
    </section>
  );
}

function Tiles({ page, act }: { page: Page; act: (device: PageDevice) => void }) {
  const { list } = page.known;
  const [all, setAll] = useState(list.length <= MOST_TILES);
  return (
    <>
      <ul class="tiles">
        {(all ? list : list.slice(0, MOST_TILES)).map((device) => (
          <li key={device.id}>
            <button
              type="button"
              class="tile"
              aria-label={say('known.sendTo', { name: escapeName(device.name) })}
              onClick={() => act(device)}
            >
              <span class={`disc ${device.kind}`}>
                <Icon name={device.kind} />
              </span>
              <span class="words">
                <bdi class="name">{escapeName(device.name)}</bdi>
                <span class="hint">{daysAgo(device.at)}</span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {!all && <Button label={say('known.all')} act={() => setAll(true)} />}
    </>
  );
}

function Edit({ page }: { page: Page }) {
  const { known, shown } = page;
  const attempt = (work: Promise<void>) => void work.catch((thrown) => shown.fault(thrown));
  return (
    <ul class="kept edit">
      {known.list.map((device) => {
        const name = escapeName(device.name);
        const rename = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
          const { value } = currentTarget;
          if (value.trim() === '' || value === device.name) currentTarget.value = device.name;
          else attempt(known.rename(device, value));
        };
        return (
          <li key={device.id} class="row">
            <Icon name={device.kind} />
            <input
              type="text"
              maxlength={MOST_DEVICE_NAME}
              defaultValue={device.name}
              aria-label={say('known.name', { name })}
              autocomplete="off"
              onChange={rename}
            />
            <IconButton
              icon="cross"
              label={say('known.forget', { name })}
              act={() => attempt(known.forget(device))}
            />
          </li>
        );
      })}
    </ul>
  );
}

/** A trusted device, or one nearby, has something for this page: nothing begins before the person says so. */
export function Calls({ view, page }: { view: View; page: Page }) {
  // What is chosen waits to be sent, and would be gone.
  if (mustStay(view) || page.receiving || view.at === 'staging' || view.at === 'gathering') return null;
  const { near } = page;
  const call = near?.here.call;
  return (
    <>
      <div role="status">
        {page.known.calling.map((device) => (
          <div key={device.id} class="note call">
            <span>{sayWith('known.calls', { name: <bdi>{escapeName(device.name)}</bdi> })}</span>
            <Button label={say('link.see')} kind="primary" act={() => page.receiveFrom(device)} />
          </div>
        ))}
        {call && <span class="unseen">{say('near.calls', { name: escapeName(call.from.name) })}</span>}
      </div>
      {near && <near.NearCallCard page={page} here={near.here} />}
    </>
  );
}

/** To whom goes what is chosen next. */
export function GoesTo({ page }: { page: Page }) {
  const { to, toNear } = page;
  const device = to ?? toNear;
  if (!device) return null;
  return (
    <p class="note goesto">
      <span>
        {sayWith(to ? 'known.goesTo' : 'near.goesTo', { name: <bdi>{escapeName(device.name)}</bdi> })}
      </span>
      <Button label={say('known.somebodyElse')} kind="quiet" act={() => page.sendTo(undefined)} />
    </p>
  );
}
