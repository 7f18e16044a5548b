/** The small parts that screens are made of. */

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Kept } from '../../src/browser/light.ts';
import type { ViewNote } from '../model/view.ts';
import type { Page } from '../page.ts';
import { gap, say } from '../words/index.ts';
import { Icon, type IconName } from './icons.tsx';

/** The heading of a screen. It can have the focus, but is no stop of the tab key. */
export function Heading({ children }: { children: ComponentChildren }) {
  return <h1 tabIndex={-1}>{children}</h1>;
}

/** Two places, and the straight line between them; in the same colours in both palettes. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
      <rect width="64" height="64" rx="15" fill="#f6b93b" />
      <path
        d="M24.1 39.9 39.9 24.1"
        stroke="#211c10"
        stroke-width="4.5"
        stroke-linecap="round"
        stroke-dasharray="0.1 7.9"
      />
      <circle cx="16" cy="48" r="7" fill="#211c10" />
      <circle cx="48" cy="16" r="6" fill="#fffaf0" stroke="#211c10" stroke-width="5" />
    </svg>
  );
}

/** The program's own sentence, where the page has no words of its own: it is English, whatever the page speaks. */
export function English({ text }: { text: string }) {
  return (
    <span lang="en" dir="ltr">
      {text}
    </span>
  );
}

/** What became of something, close to where it was asked for. */
export function NoteLine({ note }: { note: ViewNote | undefined }) {
  if (!note) return null;
  return (
    <p class={`note ${note.kind}`} role={note.kind === 'error' ? 'alert' : 'status'}>
      {note.text}
      {note.english !== undefined && gap()}
      {note.english !== undefined && <English text={note.english} />}
    </p>
  );
}

/**
 * @param kind `primary`: what people most often do next; `quiet`: what they seldom do
 * @param busy what it does is on its way. Unlike one that is disabled it keeps the focus
 */
export function Button(props: {
  label: string;
  act: () => unknown;
  kind?: 'primary' | 'quiet' | undefined;
  id?: string;
  disabled?: boolean;
  busy?: boolean;
  describedBy?: string | undefined;
}) {
  const { label, act, kind, id, disabled, busy, describedBy } = props;
  return (
    <button
      type="button"
      id={id}
      class={kind}
      disabled={disabled}
      aria-disabled={busy}
      aria-busy={busy}
      aria-describedby={describedBy}
      onClick={() => act()}
    >
      {label}
    </button>
  );
}

/** For what stands in a row, where there is no room for words. */
export function IconButton({ icon, label, act }: { icon: IconName; label: string; act: () => unknown }) {
  return (
    <button type="button" class="small" aria-label={label} title={label} onClick={() => act()}>
      <Icon name={icon} />
    </button>
  );
}

/** What is done next, where the thumb is: it stays in view, however long the rest is. */
export function Dock({ children }: { children: ComponentChildren }) {
  return <div class="dock buttons">{children}</div>;
}

/** What few want to know. */
export function Details({ children, label }: { children: ComponentChildren; label?: string }) {
  return (
    <details class="details">
      <summary>{label ?? say('details')}</summary>
      {children}
    </details>
  );
}

export function Fact({ id, name, children }: { id: string; name: string; children: ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd id={id}>{children}</dd>
    </div>
  );
}

/** Milliseconds for which a button says that it did its work. */
const SHOWN = 4000;

/** Copies a text, and says for a while how that went. */
export function useCopy(text: string): { outcome: string; copy: () => Promise<void> } {
  const [outcome, setOutcome] = useState('');
  useEffect(() => {
    if (outcome === '') return;
    const timer = setTimeout(() => setOutcome(''), SHOWN);
    return () => clearTimeout(timer);
  }, [outcome]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setOutcome(say('copied'));
    } catch {
      setOutcome(say('copyFailed'));
    }
  };
  return { outcome, copy };
}

/** A button that copies a text. */
export function Copy({ text, label, primary = false }: { text: string; label: string; primary?: boolean }) {
  const { outcome, copy } = useCopy(text);
  return (
    <>
      <Button label={label} kind={primary ? 'primary' : undefined} act={copy} />
      <span role="status" class="outcome">
        {outcome}
      </span>
    </>
  );
}

/** The ways out of this browser's storage that this browser has. */
export function SaveButtons(props: {
  kept: Kept;
  page: Page;
  describedBy?: string;
  primary?: boolean;
  /** It was saved before. */
  again?: boolean;
}) {
  const { kept, page, describedBy, primary = false, again = false } = props;
  return (
    <>
      <Button
        label={say(again ? 'save.again' : 'save')}
        kind={primary ? 'primary' : undefined}
        describedBy={describedBy}
        act={() => page.saver.asDownloads(kept)}
      />
      {page.able.folder && (
        <Button label={say('save.folder')} describedBy={describedBy} act={() => page.saver.toFolder(kept)} />
      )}
    </>
  );
}
