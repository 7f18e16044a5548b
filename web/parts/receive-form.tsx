import { useRef, useState } from 'preact/hooks';
import { withEngine } from '../engine.ts';
import { type CodeQuestion, codeIn, codeProblem, plainCode, questionAbout } from '../model/code.ts';
import type { Page } from '../page.ts';
import { messageOf } from '../shown.ts';
import { Button } from './basics.tsx';
import { Scan } from './scan.tsx';
import { useSuggestions } from './suggestions.tsx';

/** @param code from the link that was opened, or empty. Nothing is done with it before the person says so */
export function ReceiveForm({ code, page }: { code: string; page: Page }) {
  const [text, setText] = useState(code);
  const [problem, setProblem] = useState(code === '' ? '' : linkProblem(code));
  const field = useRef<HTMLInputElement>(null);
  const [question, setQuestion] = useState<CodeQuestion>();
  const submit = (event: Event) => {
    event.preventDefault();
    const wrong = codeProblem(text);
    if (wrong !== undefined) {
      setProblem(wrong);
      field.current?.focus();
      return;
    }
    const plain = plainCode(text);
    // A wrong code is burned, so the question comes first. Who presses again after it means the code.
    if (question) return page.receive(plain);
    withEngine(
      (engine) => {
        const asked = questionAbout(engine, plain);
        if (!asked) return page.receive(plain);
        setQuestion(asked);
        field.current?.focus();
      },
      (thrown) => setProblem(messageOf(thrown)),
    );
  };
  const change = (text: string) => {
    setText(text);
    setProblem('');
    setQuestion(undefined);
  };
  const suggested = useSuggestions(text, change);
  return (
    <section class="card" aria-labelledby="receive">
      <h2 id="receive">Receive</h2>
      <form onSubmit={submit} noValidate>
        <label for="code-to-receive">Code</label>
        <div class="row">
          <input
            ref={field}
            id="code-to-receive"
            type="text"
            value={text}
            placeholder="7-crossover-clockwork"
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
          <button type="submit" class="primary">
            Receive
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
          {question && `${question.text} If the code is right as it stands, press Receive again.`}
        </p>
        {question?.meant !== undefined && (
          <Button label={`Use ${question.meant}`} act={() => change(question.meant!)} />
        )}
        <p id="code-hint" class="hint">
          {code === ''
            ? 'The code or the link that the sender shows. You see what is offered before anything is stored.'
            : 'Your link brought this code. You see what is offered before anything is stored.'}
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
    <details open={!page.share}>
      <summary>Options</summary>
      <label for="share">If several receive it</label>
      <select
        id="share"
        value={share ? 'yes' : 'no'}
        aria-describedby="share-hint"
        onChange={({ currentTarget: { value } }: { currentTarget: HTMLSelectElement }) => {
          page.setShare(value === 'yes');
          setShare(page.share);
        }}
      >
        <option value="yes">Share with the others</option>
        <option value="no">Do not share</option>
      </select>
      <p id="share-hint" class="hint">
        Those who share give each other what has arrived, and see each other's addresses.
      </p>
    </details>
  );
}

/** A pasted link becomes its code; what is being typed stays as it is. */
function tidy(text: string): string {
  return text.includes('#') ? codeIn(text) || text : text;
}

function linkProblem(code: string): string {
  const problem = codeProblem(code);
  return problem === undefined ? '' : `The link is not complete. ${problem}`;
}
