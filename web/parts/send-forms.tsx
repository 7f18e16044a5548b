import { useEffect, useRef, useState } from 'preact/hooks';
import * as address from '../address.ts';
import { codeProblem, elsewhere, plainCode } from '../model/code.ts';
import { appended } from '../model/staged.ts';
import type { Page } from '../page.ts';
import { say } from '../words/index.ts';
import { ChooseButtons } from './choose.tsx';
import { Icon } from './icons.tsx';
import { GoesTo } from './known.tsx';
import { People } from './people.tsx';

const TABS = ['files', 'text'] as const;
type Tab = (typeof TABS)[number];

/** The card that takes what is to be sent: chosen, dropped, pasted or typed. */
export function SendForms({ page }: { page: Page }) {
  const [text, setText] = useState(page.draft);
  const [tab, setTab] = useState<Tab>(text === '' ? 'files' : 'text');
  const change = (now: string) => {
    page.draft = now;
    setText(now);
  };
  usePastedText(
    (pasted) => {
      change(appended(text, pasted));
      setTab('text');
    },
    (words) => page.shown.note({ kind: 'error', text: words }),
  );
  return (
    <section class="card send" aria-labelledby="send">
      <div class="cardhead">
        <h2 id="send">{say('send.title')}</h2>
        <Tabs tab={tab} choose={setTab} />
      </div>
      <GoesTo page={page} />
      <div id="send-panel" class="panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
        {tab === 'files' ? (
          <div class="zone">
            <Icon name="open" />
            <ChooseButtons
              page={page}
              files={say('send.choose')}
              folder={say('send.chooseFolder')}
              primary={true}
            />
            <p class="hint">{say('send.drop')}</p>
          </div>
        ) : (
          <TextForm page={page} text={text} change={change} />
        )}
      </div>
    </section>
  );
}

function Tabs({ tab, choose }: { tab: Tab; choose: (tab: Tab) => void }) {
  const bar = useRef<HTMLDivElement>(null);
  const turn = (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    event.preventDefault();
    const next = tab === 'files' ? 'text' : 'files';
    choose(next);
    bar.current?.querySelector<HTMLElement>(`#tab-${next}`)?.focus();
  };
  return (
    <div ref={bar} class="tabs" role="tablist" aria-label={say('send.what')} onKeyDown={turn}>
      {TABS.map((one) => (
        <button
          key={one}
          type="button"
          role="tab"
          id={`tab-${one}`}
          aria-selected={tab === one}
          aria-controls="send-panel"
          tabIndex={tab === one ? 0 : -1}
          onClick={() => choose(one)}
        >
          {say(`send.${one}`)}
        </button>
      ))}
    </div>
  );
}

function TextForm(props: { page: Page; text: string; change: (text: string) => void }) {
  const { page, text, change } = props;
  const [problem, setProblem] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    if (text === '') setProblem(say('text.empty'));
    else page.sendText(text);
  };
  return (
    <form class="textform" onSubmit={submit} noValidate>
      <label class="unseen" for="text-to-send">
        {say('text.label')}
      </label>
      <textarea
        id="text-to-send"
        rows={4}
        value={text}
        placeholder={say('text.hint')}
        aria-invalid={problem !== ''}
        aria-describedby="text-problem"
        onInput={({ currentTarget }) => {
          change(currentTarget.value);
          setProblem('');
        }}
      />
      <p id="text-problem" class="problem" role="alert">
        {problem}
      </p>
      <div class="split">
        {!page.to && <People page={page} />}
        <button type="submit" class="primary">
          {say('text.send')}
        </button>
      </div>
    </form>
  );
}

/** A link with a code in it, or a code as this program makes them. */
const TO_RECEIVE = /^https?:\/\/\S+#\S+$|^\d{1,4}(?:-[a-z]{2,8}){2,3}$/i;

/** The code of such a link, as this program makes it. Other links have names behind their '#' too. */
const MADE = /#\d{1,4}(?:-[a-z]{2,8}){2,3}$/i;

/**
 * What is pasted beside every field: a link or code to receive is opened as if it were clicked, all else is to be sent.
 * @param tell of a link to receive elsewhere
 */
function usePastedText(take: (text: string) => void, tell: (words: string) => void): void {
  useEffect(() => {
    const paste = ({ clipboardData, target }: ClipboardEvent) => {
      if (target instanceof HTMLInputElement || target instanceof HTMLTextAreaElement) return;
      const text = clipboardData?.getData('text/plain') ?? '';
      if (text.trim() === '' || clipboardData?.files.length) return;
      const there = elsewhere(text, location);
      const toReceive = TO_RECEIVE.test(text.trim()) && codeProblem(text) === undefined;
      if (toReceive && there === undefined) address.open(plainCode(text));
      else if (toReceive && there !== undefined && MADE.test(text.trim())) tell(there);
      else take(text);
    };
    addEventListener('paste', paste);
    return () => removeEventListener('paste', paste);
  });
}
