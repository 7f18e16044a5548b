import { useRef, useState } from 'preact/hooks';
import type { Page } from '../page.ts';
import { choosesFolders } from '../platform.ts';
import { Button } from './basics.tsx';

export function SendForms({ page }: { page: Page }) {
  return (
    <section class="card" aria-labelledby="send">
      <div class="meter">
        <h2 id="send">Send</h2>
        <People page={page} />
      </div>
      <FileButtons page={page} />
      <TextForm page={page} />
    </section>
  );
}

/** People that can be counted on; for more there is any number. */
const MOST_PEOPLE = 20;

function People({ page }: { page: Page }) {
  const [wanted, setWanted] = useState(page.wanted);
  const change = ({ currentTarget: { value } }: { currentTarget: HTMLSelectElement }) => {
    page.wanted = value === 'any' ? value : Number(value);
    setWanted(page.wanted);
  };
  const numbers = Array.from({ length: MOST_PEOPLE - 1 }, (_, index) => index + 2);
  return (
    <div class="people">
      <label for="people">How many people</label>
      <select id="people" value={wanted} onChange={change}>
        <option value={1}>One</option>
        {numbers.map((number) => (
          <option key={number} value={number}>
            {number}
          </option>
        ))}
        <option value="any">Any number</option>
      </select>
    </div>
  );
}

function FileButtons({ page }: { page: Page }) {
  const files = useRef<HTMLInputElement>(null);
  const folder = useRef<HTMLInputElement>(null);
  const take = ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
    if (currentTarget.files?.length) page.sendChosen(currentTarget.files);
  };
  return (
    <div class="zone">
      <input ref={files} id="files" type="file" multiple hidden onChange={take} />
      <input ref={folder} id="folder" type="file" webkitdirectory hidden onChange={take} />
      <div class="buttons">
        <Button label="Choose files" kind="primary" act={() => files.current?.click()} />
        {choosesFolders() && <Button label="Choose a folder" act={() => folder.current?.click()} />}
      </div>
      <p class="hint">or drop them anywhere on this page</p>
    </div>
  );
}

function TextForm({ page }: { page: Page }) {
  const [text, setText] = useState('');
  const [problem, setProblem] = useState('');
  const submit = (event: Event) => {
    event.preventDefault();
    if (text === '') setProblem('Type or paste a text first.');
    else page.sendText(text);
  };
  return (
    <form onSubmit={submit} noValidate>
      <label for="text-to-send">Text</label>
      <textarea
        id="text-to-send"
        rows={2}
        value={text}
        aria-invalid={problem !== ''}
        aria-describedby="text-problem"
        onInput={({ currentTarget }) => {
          setText(currentTarget.value);
          setProblem('');
        }}
      />
      <p id="text-problem" class="problem" role="alert">
        {problem}
      </p>
      <button type="submit">Send text</button>
    </form>
  );
}
