import { useRef, useState } from 'preact/hooks';
import {
  type CodeQuestion,
  codeIn,
  codeProblem,
  elsewhere,
  plainCode,
  questionAbout,
} from '../model/code.ts';
import type { Page } from '../page.ts';
import { usePress } from '../pressed.ts';
import { messageOf } from '../shown.ts';
import { gap, say } from '../words/index.ts';
import { Button } from './basics.tsx';
import { Scan } from './scan.tsx';
import { useSuggestions } from './suggestions.tsx';

/**
 * @param code from the link that was opened, or empty. Nothing is done with it before the person says so
 * @param doubt what is asked about that code
 */
export function ReceiveForm(props: { code: string; page: Page; doubt?: CodeQuestion | undefined }) {
  const { code, page, doubt } = props;
  const [text, setText] = useState(code);
  const [problem, setProblem] = useState(code === '' ? '' : linkProblem(code));
  const field = useRef<HTMLInputElement>(null);
  // Asked about one text, and about no other.
  const [asked, setAsked] = useState(doubt && { about: code, doubt });
  const question = asked?.about === text ? asked.doubt : undefined;
  const { press, busy } = usePress();
  const submit = (event: Event) => {
    event.preventDefault();
    const wrong = elsewhere(text, location) ?? codeProblem(text);
    if (wrong !== undefined) {
      setProblem(wrong);
      field.current?.focus();
      return;
    }
    const plain = plainCode(text);
    // A wrong code is burned, so the question comes first. Who presses again after it means the code.
    if (question) return page.receive(plain);
    press.begin(
      (engine) => {
        const found = questionAbout(engine, plain);
        if (!found) return page.receive(plain);
        setAsked({ about: text, doubt: found });
        field.current?.focus();
      },
      (thrown) => setProblem(messageOf(thrown)),
    );
  };
  const change = (text: string) => {
    press.forget();
    setText(text);
    setProblem(elsewhere(text, location) ?? '');
    setAsked(undefined);
  };
  const suggested = useSuggestions(text, change);
  return (
    <section class="card receive" aria-labelledby="receive">
      <div class="cardhead">
        <h2 id="receive">{say('receive.title')}</h2>
      </div>
      <form onSubmit={submit} noValidate>
        <label for="code-to-receive">{say('receive.code')}</label>
        <div class="row">
          <input
            ref={field}
            id="code-to-receive"
            type="text"
            value={text}
            placeholder="7-velvet-canyon"
            autocomplete="off"
            autocapitalize="none"
            autocorrect="off"
            spellcheck={false}
            enterkeyhint="go"
            aria-invalid={problem !== ''}
            aria-describedby="code-problem code-hint"
            {...suggested.field}
            onInput={({ currentTarget }: { currentTarget: HTMLInputElement }) => {
              change(tidy(currentTarget.value));
            }}
          />
          <button type="submit" class="primary" aria-disabled={busy} aria-busy={busy}>
            {say('receive.start')}
          </button>
          <Scan
            found={(code) => {
              change(code);
              field.current?.focus();
            }}
          />
        </div>
        {suggested.list}
        <p id="code-problem" class="problem" role="alert">
          {problem}
          {question && question.text + gap() + say('code.asItStands')}
        </p>
        {question?.meant !== undefined && (
          <Button label={say('code.use', { code: question.meant })} act={() => change(question.meant!)} />
        )}
        <p id="code-hint" class="hint">
          {say('receive.hint')}
        </p>
      </form>
      <Sharing page={page} />
    </section>
  );
}

/** Few want it otherwise, so it stands folded. */
function Sharing({ page }: { page: Page }) {
  const [share, setShare] = useState(page.share);
  return (
    <details class="details" open={!page.share}>
      <summary>{say('receive.options')}</summary>
      <label for="share">{say('share.label')}</label>
      <select
        id="share"
        value={share ? 'yes' : 'no'}
        aria-describedby="share-hint"
        onChange={({ currentTarget: { value } }: { currentTarget: HTMLSelectElement }) => {
          page.setShare(value === 'yes');
          setShare(page.share);
        }}
      >
        <option value="yes">{say('share.yes')}</option>
        <option value="no">{say('share.no')}</option>
      </select>
      <p id="share-hint" class="hint">
        {say('share.hint')}
      </p>
    </details>
  );
}

/** A pasted link becomes its code, unless it leads elsewhere; what is being typed stays as it is. */
function tidy(text: string): string {
  if (elsewhere(text, location) !== undefined) return text;
  return text.includes('#') ? codeIn(text) || text : text;
}

function linkProblem(code: string): string {
  const problem = codeProblem(code);
  return problem === undefined ? '' : say('link.incomplete', { why: problem });
}
