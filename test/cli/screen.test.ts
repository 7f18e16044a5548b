/** What a person sees: everything that is drawn goes through a terminal of 80, 40 and 20 columns, whose size changes meanwhile. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { Board } from '../../src/cli/board.ts';
import { renderBoard } from '../../src/cli/board-lines.ts';
import { columns, loadWidths, rowsOf } from '../../src/cli/measure.ts';
import { render } from '../../src/cli/progress.ts';
import { Screen } from '../../src/cli/screen.ts';
import { Tracker } from '../../src/cli/tracker.ts';
import type { TransferEvent } from '../../src/node/api.ts';
import { randomFrom } from '../seed.ts';
import { VirtualTerminal } from './vt.ts';

const WIDTHS = [80, 40, 20];
const ROUNDS = Number(process.env.ROUNDS ?? 25);
const TOTAL = 3_000_000_000;
const NAMES = ['a.txt', '写真/休日の思い出/二〇二六年.jpg', `${'long '.repeat(40)}.tar`];

const manifest: TransferEvent = {
  ...{ event: 'manifest', kind: 'files', files: 340, folders: 1, links: 0 },
  ...{ bytes: TOTAL, chunkSize: 1 << 20 },
};
const progress = (bytes: number, file: string, peer?: number): TransferEvent => ({
  ...{ event: 'progress', by: { tcp: 5 }, bytes, total: TOTAL, rate: 12_300_000, eta: 80, files: 12, file },
  ...(peer !== undefined && { peer }),
});

function tracker(bytes: number, file: string): Tracker {
  const view = new Tracker();
  view.apply({ event: 'state', from: 'authenticating', to: 'transferring' });
  view.apply(manifest);
  view.apply(progress(bytes, file));
  return view;
}

function board(receivers: number): Board {
  const all = new Board(receivers);
  all.apply(manifest);
  for (let peer = 1; peer <= receivers; peer++) {
    all.apply({ event: 'peer', peer, fingerprint: String(peer).repeat(64).slice(0, 64), agent: 'x/1' });
    all.apply({ event: 'state', peer, from: 'authenticating', to: 'transferring' });
    all.apply(progress(peer * 1_000_000, 'a.txt', peer));
  }
  return all;
}

describe('cli: the screen', () => {
  before(loadWidths);

  for (const width of WIDTHS)
    it(`at ${width} columns nothing that is redrawn is wrapped, and it goes without a trace`, async () => {
      const terminal = new VirtualTerminal(width);
      const screen = new Screen(terminal);
      screen.line('before');
      const drawn = [
        ...NAMES.map((name) => render(tracker(7, name), screen.width)),
        ...[1, 5, 40].map((receivers) => renderBoard(board(receivers), screen.width, screen.height)),
      ];
      for (const lines of drawn) {
        screen.status(lines);
        assert.deepEqual(
          await terminal.shown(),
          ['before', ...lines].map((line) => line.trimEnd()),
        );
      }
      screen.line('between');
      screen.status([]);
      assert.deepEqual(await terminal.shown(), ['before', 'between']);
    });

  it('whatever is said and drawn, and however the size changes, only what was said is left', async () => {
    // The same rounds each time; ROUNDS=n tries more. What a narrower terminal made of the lines still fits on it: no program
    // reaches rows that have left the screen.
    for (let round = 0; round < ROUNDS; round++) {
      const next = randomFrom(round);
      const pick = <T>(of: readonly T[]): T => of[Math.floor(next() * of.length)]!;
      const terminal = new VirtualTerminal(pick(WIDTHS));
      const screen = new Screen(terminal);
      const said: string[] = [];
      let bytes = 0;
      for (let step = 0; step < 60; step++) {
        const what = next();
        if (what < 0.2) {
          said.push(`said ${step} ${'word '.repeat(Math.floor(next() * 12))}end`);
          screen.line(said.at(-1)!);
        } else if (what < 0.4) await terminal.resize(pick(WIDTHS));
        else if (what < 0.5) screen.status([]);
        else if (what < 0.7) screen.status(renderBoard(board(1 + Math.floor(next() * 4)), screen.width, 24));
        else {
          bytes += 1e7;
          screen.status(render(tracker(bytes, pick(NAMES)), screen.width));
        }
      }
      screen.status([]);
      assert.deepEqual(await terminal.lines(), said, `round ${round}`);
    }
  });

  it('a frame is one write, and a line that is the same is not written again', async () => {
    const terminal = new VirtualTerminal(80);
    const screen = new Screen(terminal, { NO_COLOR: '1' });
    const lines = renderBoard(board(5), screen.width, screen.height);
    screen.status(lines);
    assert.equal(terminal.writes.length, 1);
    // Nothing is different: nothing is written.
    screen.status([...lines]);
    assert.equal(terminal.writes.length, 1);
    const changed = lines.with(2, 'another');
    screen.status(changed);
    assert.equal(terminal.writes.length, 2);
    const [, frame = ''] = terminal.writes;
    assert.ok(frame.includes('another'));
    for (const line of lines) assert.ok(!frame.includes(line), line);
    assert.deepEqual(
      await terminal.shown(),
      changed.map((line) => line.trimEnd()),
    );
    // A line that is said moves it down, in one write too.
    screen.line('said');
    assert.equal(terminal.writes.length, 3);
    for (const write of terminal.writes) assert.match(write, /^\x1b\[\?2026h[\s\S]*\x1b\[\?2026l$/);
  });

  it('no line of a frame is empty for a moment: it is written over, and what is too much then cut', () => {
    const terminal = new VirtualTerminal(80);
    const screen = new Screen(terminal, { NO_COLOR: '1' });
    screen.status(['one', 'two']);
    screen.status(['one', '2']);
    assert.equal(terminal.writes[1], '\x1b[?2026h\x1b[1A2\x1b[K\n\x1b[?2026l');
  });

  it('a terminal of few rows shows what fits, with one row for the cursor', async () => {
    for (const rows of [1, 2, 3]) {
      const terminal = new VirtualTerminal(40, rows);
      const screen = new Screen(terminal);
      screen.line('said');
      for (let step = 0; step < 5; step++) screen.status([`a${step}`, `b${step}`, `c${step}`]);
      screen.line('too');
      screen.status([]);
      assert.deepEqual(await terminal.lines(), ['said', 'too']);
    }
  });

  it('where no status can be redrawn, not one control character is written', () => {
    for (const env of [{ TERM: 'dumb' }, {}]) {
      const terminal = Object.assign(new VirtualTerminal(80), env.TERM ? {} : { isTTY: false });
      const screen = new Screen(terminal, env);
      screen.status(['drawn']);
      screen.line('said');
      screen.status([]);
      assert.deepEqual(terminal.writes, ['said\n']);
    }
  });

  it('counts the rows of a wrapped line as a terminal does', async () => {
    for (const text of [...NAMES, '写'.repeat(30), `a${'写'.repeat(30)}`, '👩‍👩‍👧‍👦é'.repeat(3), '']) {
      for (const width of [3, 7, 20, 21, 40]) {
        const terminal = new VirtualTerminal(width);
        terminal.write(`${text}\nend`);
        // This terminal shows the parts of a joined emoji one by one.
        if (text.includes('\u200d')) assert.ok(rowsOf(text, width) >= Math.ceil(columns(text) / width));
        else assert.equal(rowsOf(text, width), (await terminal.shown()).length - 1, `${text} at ${width}`);
      }
    }
  });
});
