/** Files and folders as a person knows them: a picture or an icon, the name, how large it is, and how far. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';

import { escapeName } from '../../src/browser/light.ts';
import type { RowState } from '../model/running.ts';
import { say } from '../words/index.ts';
import { size } from '../words/numbers.ts';
import { Button } from './basics.tsx';
import { Icon } from './icons.tsx';
import { Thumb } from './thumb.tsx';

export interface FileRowShown extends RowState {
  /** Of a folder it ends in '/'. */
  name: string;
  bytes?: number | undefined;
  /** Of a folder. */
  files?: number | undefined;
  blob?: (() => Promise<Blob>) | undefined;
  /** What can be done with it. */
  actions?: ComponentChildren;
}

/** Rows that are shown before somebody asks for more. */
const FEW = 8;
/** Rows that are shown at all: a list of a hundred thousand would stop the page. */
const MOST = 400;

/**
 * @param row of those that are shown alone: it runs anew with every progress
 * @param hidden of how many more nothing but the number is known
 */
export function FileList<T>(props: {
  id: string;
  label: string;
  rows: readonly T[];
  row: (one: T, at: number) => FileRowShown;
  hidden?: number;
  /** All at once. */
  whole?: boolean;
}) {
  const { id, label, rows, row, hidden = 0, whole = false } = props;
  const [all, setAll] = useState(whole);
  const shown = rows.slice(0, all ? MOST : rows.length > FEW + 2 ? FEW : MOST);
  const rest = rows.length - shown.length + hidden;
  return (
    <div class="files">
      {/* biome-ignore lint/a11y/noRedundantRoles: without bullets some screen readers take it for no list */}
      <ul id={id} role="list" aria-label={label}>
        {shown.map(row).map((one) => (
          <FileRow key={one.name} row={one} />
        ))}
      </ul>
      {rest > 0 &&
        (rows.length > shown.length && !all ? (
          <Button label={say('more', { n: rest })} kind="quiet" act={() => setAll(true)} />
        ) : (
          <p class="hint rest">{say('more', { n: rest })}</p>
        ))}
    </div>
  );
}

function FileRow({ row }: { row: FileRowShown }) {
  const { name, bytes, files, blob, state, part, actions } = row;
  const facts = [
    ...(files === undefined ? [] : [say('files', { n: files })]),
    ...(bytes === undefined ? [] : [size(bytes)]),
  ];
  return (
    <li class={state}>
      <Thumb name={name} blob={blob} />
      <span class="name">
        <bdi>{escapeName(name)}</bdi>
      </span>
      {facts.length > 0 && <span class="hint size">{facts.join(say('join'))}</span>}
      {state === 'whole' && (
        <span class="tick" role="img" aria-label={say('standing.done')}>
          <Icon name="check" />
        </span>
      )}
      {actions}
      {state === 'moves' && part !== undefined && (
        <progress id="file-progress" aria-label={say('running.fileThis')} max={1} value={part} />
      )}
    </li>
  );
}
