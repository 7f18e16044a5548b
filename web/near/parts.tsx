/** What the page shows of devices near it: tiles that nobody vouches for, and their calls. */
import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { escapeName, type NearDevice } from '../../src/browser/light.ts';
import { codeProblem, plainCode, questionAbout } from '../model/code.ts';
import type { Page } from '../page.ts';
import { Button } from '../parts/basics.tsx';
import { Icon } from '../parts/icons.tsx';
import { useSuggestions } from '../parts/suggestions.tsx';
import { usePress } from '../pressed.ts';
import { messageOf } from '../shown.ts';
import { gap, type Key, say, sayWith } from '../words/index.ts';
import type { NearCall, NearHere, NearState } from './here.ts';

/** Characters that a name field takes; the name has fewer bytes or is cut. */
const MOST_NAME = 32;
const WORDS: Partial<Record<NearState, Key & ('working' | 'error.LOCKED' | `near.${string}`)>> = {
  looking: 'working',
  elsewhere: 'error.LOCKED',
  full: 'near.full',
  unknown: 'near.unknown',
};

/** At home, below the trusted ones. */
export function NearDevices({ page, here }: { page: Page; here: NearHere }) {
  const { on, state, devices } = here;
  const words = state === 'seen' && devices.length === 0 ? 'near.nobody' : WORDS[state];
  return (
    <section class="card" aria-labelledby="near">
      <div class="cardhead">
        <h2 id="near">{say('near.title')}</h2>
        {on && <Button label={say('near.hide')} kind="quiet" act={() => here.hide()} />}
      </div>
      <p role="status" class={words ? '' : 'unseen'}>
        {words && say(words as 'near.nobody')}
      </p>
      <NearTiles page={page} here={here} />
      {on ? (
        <p class="hint">
          {sayWith<'near.as', ComponentChildren>('near.as', { name: <bdi>{here.name}</bdi> })}
          {gap()}
          {say('near.proof')}
        </p>
      ) : (
        <Show here={here} />
      )}
    </section>
  );
}

function Show({ here }: { here: NearHere }) {
  const [name, setName] = useState(here.name);
  const submit = (event: Event) => {
    event.preventDefault();
    here.show(name);
  };
  return (
    <form class="remember" onSubmit={submit} noValidate>
      <p class="hint">{say('near.lead')}</p>
      <label for="near-name">{say('near.name')}</label>
      <div class="row">
        <input
          id="near-name"
          type="text"
          maxlength={MOST_NAME}
          autocomplete="off"
          value={name}
          onInput={({ currentTarget: { value } }: { currentTarget: HTMLInputElement }) => setName(value)}
        />
        <button type="submit">{say('near.show')}</button>
      </div>
    </form>
  );
}

/** Where something is chosen: it can go to one of them. */
export function SendNear({ page, here }: { page: Page; here: NearHere }) {
  if (here.devices.length === 0 || page.to || page.toNear) return null;
  return (
    <section class="card" aria-labelledby="straight-near">
      <h2 id="straight-near">{say('near.title')}</h2>
      <NearTiles page={page} here={here} />
    </section>
  );
}

function NearTiles({ page, here: { devices } }: { page: Page; here: NearHere }) {
  if (devices.length === 0) return null;
  return (
    <ul class="tiles">
      {devices.map((device) => (
        <li key={device.id}>
          <NearTile device={device} act={() => page.sendToNear(device)} />
        </li>
      ))}
    </ul>
  );
}

function NearTile({ device, act }: { device: NearDevice; act: () => void }) {
  const name = escapeName(device.name);
  const label = `${say('known.sendTo', { name })}, ${say('near.untrusted')}`;
  return (
    <button type="button" class="tile near" aria-label={label} onClick={act}>
      <span class="disc unknown">
        <Icon name="unknown" />
      </span>
      <span class="words">
        <bdi class="name">{name}</bdi>
        <span class="hint">{say('near.untrusted')}</span>
      </span>
    </button>
  );
}

/** One that wants to send something: only who sees its screen can say yes. */
export function NearCallCard({ page, here }: { page: Page; here: NearHere }) {
  const { call } = here;
  return call ? <Answer key={call.from.id + call.nameplate} call={call} page={page} here={here} /> : null;
}

function Answer({ call, page, here }: { call: NearCall; page: Page; here: NearHere }) {
  const { from, nameplate } = call;
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const [asked, setAsked] = useState<string>();
  const field = useRef<HTMLInputElement>(null);
  const { press, busy } = usePress();
  const change = (value: string) => {
    press.forget();
    setText(value);
    setProblem('');
    setAsked(undefined);
  };
  // Completion knows whole codes only.
  const prefix = `${nameplate}-`;
  const suggested = useSuggestions(prefix + text, (whole) => change(whole.slice(prefix.length)));
  const complain = (words: string) => {
    setProblem(words);
    field.current?.focus();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    // Somebody may type the whole code.
    const words = text.trim().replace(new RegExp(`^${nameplate}[\\s\\p{Pd}]+`, 'u'), '');
    if (words === '') return complain(say('near.words'));
    const wrong = codeProblem(prefix + words);
    if (wrong !== undefined) return complain(wrong);
    const code = plainCode(prefix + words);
    if (asked === text) return page.receiveNear(call, code);
    press.begin(
      (engine) => {
        const found = questionAbout(engine, code);
        if (!found) return page.receiveNear(call, code);
        setAsked(text);
        complain(`${found.text} ${say('code.asItStands')}`);
      },
      (thrown) => complain(messageOf(thrown)),
    );
  };
  return (
    <section class="card nearcall" aria-labelledby="near-call">
      <h2 id="near-call">{sayWith('near.calls', { name: <bdi>{escapeName(from.name)}</bdi> })}</h2>
      <form onSubmit={submit} noValidate>
        <label for="near-words">{say('near.words')}</label>
        <div class="row">
          <span class="plate">{prefix}</span>
          <input
            ref={field}
            id="near-words"
            type="text"
            value={text}
            autocomplete="off"
            autocapitalize="none"
            autocorrect="off"
            spellcheck={false}
            enterkeyhint="go"
            aria-invalid={problem !== ''}
            aria-describedby="near-problem"
            {...suggested.field}
            onInput={({ currentTarget: { value } }: { currentTarget: HTMLInputElement }) => change(value)}
          />
        </div>
        {suggested.list}
        <p id="near-problem" class="problem" role="alert">
          {problem}
        </p>
        <div class="buttons">
          <button type="submit" class="primary" aria-disabled={busy} aria-busy={busy}>
            {say('receive.start')}
          </button>
          <Button label={say('near.notNow')} act={() => here.notNow(call)} />
        </div>
      </form>
    </section>
  );
}
