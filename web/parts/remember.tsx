import { useState } from 'preact/hooks';
import { escapeName, MOST_DEVICE_NAME } from '../../src/browser/light.ts';
import { deviceName } from '../model/device.ts';
import type { Transferring, ViewNote } from '../model/view.ts';
import type { Page } from '../page.ts';
import { faultNote } from '../shown.ts';
import { say } from '../words/index.ts';
import { NoteLine } from './basics.tsx';

/** At the end of a transfer by code: both sides can spare themselves the next one. */
export function Remember({ view, page }: { view: Transferring; page: Page }) {
  const { pair, running, near } = view;
  const { peer, several } = running;
  const known = page.knownPeer(view);
  const [name, setName] = useState(near?.name ?? deviceName(peer) ?? say('device.there'));
  const [problem, setProblem] = useState<ViewNote>();
  if (!pair || several || peer?.key === undefined || peer.name !== undefined) return null;
  if (known)
    return (
      <p class="note done" role="status">
        {say('remember.done', { name: escapeName(known.name) })}
      </p>
    );
  const submit = (event: Event) => {
    event.preventDefault();
    page.remember(pair, name).catch((thrown) => setProblem(faultNote(thrown)));
  };
  return (
    <form class="card remember" onSubmit={submit} noValidate>
      <h2>{say('remember.title')}</h2>
      <p class="hint">{say('remember.hint')}</p>
      <label for="remember-name">{say('remember.name')}</label>
      <div class="row">
        <input
          id="remember-name"
          type="text"
          maxlength={MOST_DEVICE_NAME}
          autocomplete="off"
          value={name}
          aria-invalid={problem !== undefined}
          aria-describedby="remember-problem"
          onInput={({ currentTarget }: { currentTarget: HTMLInputElement }) => {
            setName(currentTarget.value);
            setProblem(undefined);
          }}
        />
        <button type="submit">{say('remember.do')}</button>
      </div>
      <div id="remember-problem">
        <NoteLine note={problem} />
      </div>
    </form>
  );
}
