/** The progress display at every width, with names of every kind, on a terminal and elsewhere. */
import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import fc from 'fast-check';
import stringWidth from 'string-width';
import type { Clock } from '../../src/base/clock.ts';
import { columns, keepEnd, loadWidths } from '../../src/cli/measure.ts';
import { drawingOf, ProgressLine, plain, render } from '../../src/cli/progress.ts';
import { Screen } from '../../src/cli/screen.ts';
import { describeLanes, Tracker } from '../../src/cli/tracker.ts';
import type { TransferEvent } from '../../src/node/api.ts';
import { isOfOther } from '../../src/session/meaning.ts';
import { Sink } from './fakes.ts';

const HOSTILE = 'a\x1b[2J\x1b]0;owned\x07\u202egnp.exe\r\n\u2066b\u0000';
const NAMES = [
  'notes.txt',
  '写真/休日の思い出/二〇二六年.jpg',
  '👩‍👩‍👧‍👦🇨🇭é̂.png',
  HOSTILE,
  `${'x'.repeat(4000)}.tar`,
];
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

const progress = (bytes: number, total: number | null, file?: string): TransferEvent => ({
  event: 'progress',
  by: {},
  bytes,
  total,
  rate: 12_300_000,
  eta: total === null ? null : 80,
  files: 12,
  file,
});

function tracker(file?: string, total: number | null = 2_700_000_000): Tracker {
  const view = new Tracker();
  view.apply({ event: 'state', from: 'authenticating', to: 'transferring' });
  view.apply({
    event: 'manifest',
    kind: 'files',
    files: 340,
    folders: 1,
    links: 0,
    bytes: total,
    chunkSize: 1 << 20,
  });
  for (const id of [1, 2, 3, 4])
    view.apply({ event: 'lane', id, kind: 'tcp', local: 'h:1', remote: '192.168.1.7:4848', status: 'open' });
  view.apply(progress(1_200_000_000, total, file));
  return view;
}

class ManualClock implements Clock {
  time = 0;
  #timers: { at: number; callback: () => void }[] = [];
  now = () => this.time;
  date = () => this.time;
  after(ms: number, callback: () => void): () => void {
    const timer = { at: this.time + ms, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }
  advance(ms: number): void {
    this.time += ms;
    for (const timer of this.#timers.splice(0))
      if (timer.at <= this.time) timer.callback();
      else this.#timers.push(timer);
  }
}

describe('cli: progress', () => {
  it('says how far one of several files is, where there is room', () => {
    const view = tracker('notes.txt');
    assert.match(render(view, 100)[1]!, /^notes\.txt {2}/);
    view.apply({ ...progress(1e9, 2e9, 'notes.txt'), fileSize: 300, fileBytes: 299 } as TransferEvent);
    assert.match(render(view, 100)[1]!, /^notes\.txt 99% /);
    for (let width = 1; width < 100; width++) assert.ok(columns(render(view, width)[1] ?? '') <= width);
    view.apply({
      event: 'manifest',
      kind: 'files',
      files: 1,
      folders: 0,
      links: 0,
      bytes: 300,
      chunkSize: 1 << 20,
    });
    assert.match(render(view, 100)[1]!, /^notes\.txt {2}/);
  });

  before(loadWidths);

  for (const width of [20, 40, 80, 200])
    for (const [index, name] of NAMES.entries())
      it(`fits ${width} columns with name ${index}`, () => {
        const lines = render(tracker(name), width - 1);
        assert.equal(lines.length, 2);
        for (const line of lines) {
          assert.ok(stringWidth(line) <= width - 1, `${stringWidth(line)}: ${line}`);
          assert.doesNotMatch(line, UNSAFE);
        }
        assert.match(lines[0]!, /44%/);
        assert.match(lines[0]!, /12\.3 MB\/s/);
        if (width >= 40) assert.match(lines[0]!, /━+─+/);
      });

  it('shows everything where there is room', () => {
    const [numbers, names] = render(tracker('notes.txt'), 99);
    assert.match(numbers!, /^━+─+ {2} 44% {2}1\.20 GB of 2\.70 GB {2}12\.3 MB\/s {2}1m 20s left$/);
    assert.equal(names, 'notes.txt  12/340 files  4 lanes, tcp 192.168.1.7');
  });

  it('keeps the end of a long path, for that is the name', () => {
    assert.match(render(tracker('very/long/path/to/some/photo.jpg'), 30)[1]!, /…[\w/]*photo\.jpg/);
    assert.equal(keepEnd('二〇二六年.jpg', 9), '…六年.jpg');
    assert.equal(keepEnd('abc', 1), '');
  });

  it('never exceeds any width with any name, and never grows with less room', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 220 }),
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        (width, name) => {
          for (const line of render(tracker(name), width)) assert.ok(columns(line) <= width, line);
        },
      ),
    );
  });

  it('a stream of unknown length has no bar and no percentage', () => {
    const [numbers] = render(tracker('stdin', null), 79);
    assert.equal(numbers, '1.20 GB  12.3 MB/s');
  });

  it('says paused and reconnecting instead of a rate', () => {
    const view = tracker('x');
    view.apply({ event: 'state', from: 'transferring', to: 'paused', by: 'peer' });
    assert.match(render(view, 19)[0]!, /paused/);
    view.apply({ event: 'state', from: 'paused', to: 'connecting' });
    assert.match(render(view, 79)[0]!, /reconnecting/);
  });

  it('is 100 % only when all is there', () => {
    const view = tracker('x', 1_000_000_000_000);
    view.apply(progress(999_999_999_999, 1_000_000_000_000));
    assert.equal(view.percent, 99);
    view.apply(progress(0, 0));
    assert.equal(view.percent, 100);
  });

  it('counts lanes by path', () => {
    const view = tracker();
    view.apply({ event: 'lane', id: 9, kind: 'relay', local: '', remote: '[fd00::1]:80', status: 'open' });
    assert.equal(describeLanes(view), '5 lanes, tcp 192.168.1.7, relay');
    view.by = { relay: 9_000_000, tcp: 1_000_000 };
    assert.equal(describeLanes(view), '5 lanes, relay [fd00::1] 90%, tcp 10%');
    for (const id of [1, 2, 3, 4])
      view.apply({ event: 'lane', id, kind: 'tcp', local: '', remote: '', status: 'closed' });
    assert.equal(describeLanes(view), '1 lane, relay [fd00::1]');
  });
});

describe('cli: drawing', () => {
  before(loadWidths);

  it('redraws at most ten times a second, and the last state is drawn', () => {
    const sink = new Sink(true);
    const clock = new ManualClock();
    const view = tracker('a.txt');
    const display = new ProgressLine(new Screen(sink, { NO_COLOR: '1' }), drawingOf(view), clock);
    let writes = 0;
    sink.write = ((text: string) => {
      sink.text += text;
      writes++;
      return true;
    }) as typeof sink.write;
    for (let i = 0; i < 1000; i++) {
      view.apply(progress(i * 1_000_000, 2_700_000_000, 'a.txt'));
      display.changed();
      clock.advance(1);
    }
    assert.ok(writes <= 11, `${writes} frames`);
    assert.ok(writes >= 9, `${writes} frames`);
    clock.advance(100);
    assert.match(sink.text, /999 MB of 2\.70 GB(?!.*MB of)/);
    display.stop();
    assert.match(sink.text, /\x1b\[J\x1b\[\?2026l$/);
    const end = sink.text.length;
    display.changed();
    clock.advance(1000);
    assert.equal(sink.text.length, end);
  });

  it('takes the status away before a line and puts it back after', () => {
    const sink = new Sink(true);
    const screen = new Screen(sink, { NO_COLOR: '1' });
    screen.status(['one', 'two']);
    sink.text = '';
    screen.line('hello');
    assert.equal(sink.text, '\x1b[?2026h\x1b[2A\x1b[Jhello\none\ntwo\n\x1b[?2026l');
  });

  it('climbs over the rows that a narrower terminal made of its lines', () => {
    const sink = new Sink(true, 80);
    const screen = new Screen(sink, { NO_COLOR: '1' });
    screen.status(['x'.repeat(79), '写'.repeat(30)]);
    sink.columns = 40;
    sink.text = '';
    screen.status([]);
    assert.equal(sink.text, '\x1b[?2026h\x1b[4A\x1b[J\x1b[?2026l');
  });

  it('redraws for a new width when the terminal is resized', () => {
    const sink = new Sink(true, 80);
    const clock = new ManualClock();
    const display = new ProgressLine(new Screen(sink, { NO_COLOR: '1' }), drawingOf(tracker('a.txt')), clock);
    display.changed();
    clock.advance(1000);
    sink.columns = 20;
    sink.text = '';
    sink.emit('resize');
    const last = sink.text.split('\x1b[J').at(-1)!;
    for (const line of last.replace('\x1b[?2026l', '').split('\n')) assert.ok(line.length <= 19, line);
    display.stop();
    assert.equal(sink.listenerCount('resize'), 0);
  });

  it('colours the bar on a terminal only, and not with NO_COLOR', () => {
    const draw = (tty: boolean, env: Record<string, string>) => {
      const sink = new Sink(tty);
      new Screen(sink, env).status(render(tracker('x'), 79));
      return sink.text;
    };
    assert.match(draw(true, {}), /\x1b\[32m━+\x1b\[39m/);
    assert.doesNotMatch(draw(true, { NO_COLOR: '1' }), /\x1b\[32m/);
    assert.equal(draw(false, {}), '');
    assert.equal(draw(true, { TERM: 'dumb' }), '');
  });

  it('escapes whatever a line quotes, its line feeds too', () => {
    const sink = new Sink(true);
    new Screen(sink).line(`The other side said: ${HOSTILE}`);
    assert.doesNotMatch(sink.text.slice(0, -1), UNSAFE);
  });

  it('writes a plain line every 5 s or each 10 %, whichever is rarer', () => {
    const sink = new Sink(false);
    const clock = new ManualClock();
    const view = tracker('a.txt');
    const display = new ProgressLine(new Screen(sink), drawingOf(view), clock);
    const run = (steps: number, percentPerSecond: number) => {
      sink.text = '';
      for (let second = 1; second <= steps; second++) {
        clock.advance(1000);
        view.apply(progress(second * percentPerSecond * 1e7, 1e9, 'a.txt'));
        display.changed();
      }
      return sink.text.split('\n').filter((line) => line !== '').length;
    };
    assert.equal(run(5, 20), 1); // fast: the 5 s rule
    assert.doesNotMatch(sink.text, /\x1b/);
    const slow = new ProgressLine(new Screen(sink), drawingOf(view), clock);
    display.stop();
    sink.text = '';
    for (let second = 0; second <= 100; second++) {
      clock.advance(1000);
      view.apply(progress(second * 0.5 * 1e7, 1e9));
      slow.changed();
    }
    assert.equal(sink.text.split('\n').length - 1, 5); // half a percent a second: 10 %, 20 %, ... 50 %
    assert.match(plain(view), /^50%, 500 MB of 1\.00 GB, 12\.3 MB\/s, 1m 20s left, 12\/340 files$/);
  });

  it('writes a line each 5 s for a stream without a known length', () => {
    const sink = new Sink(false);
    const clock = new ManualClock();
    const view = tracker('stdin', null);
    const display = new ProgressLine(new Screen(sink), drawingOf(view), clock);
    for (let i = 0; i < 20; i++) {
      clock.advance(1000);
      display.changed();
    }
    assert.equal(sink.text.split('\n').length - 1, 4);
  });
});

it('cli: a peer that is not heard of is said to be silent, in place of a rate that is old', () => {
  const view = tracker('a');
  view.apply({ ...progress(1_200_000_000, 2_700_000_000, 'a'), silent: 7 } as TransferEvent);
  assert.match(render(view, 100).join('\n'), /no answer for 7 s/);
  assert.doesNotMatch(render(view, 100).join('\n'), /MB\/s|left/);
  assert.match(plain(view), /no answer for 7 s/);
  view.apply(progress(1_200_000_001, 2_700_000_000, 'a'));
  assert.match(render(view, 100).join('\n'), /MB\/s/);
});

describe('cli: other receivers', () => {
  it('are not drawn as if they were the sender', () => {
    const of = (peer?: number): TransferEvent => ({
      ...{ event: 'lane', id: 1, kind: 'tcp', local: 'a:1', remote: 'b:2', status: 'open' },
      ...(peer !== undefined && { peer }),
    });
    assert.deepEqual(
      [undefined, 1, 2, 9].map((peer) => isOfOther('receive', of(peer))),
      [false, false, true, true],
    );
    // At a sender each number is a receiver's.
    assert.equal(isOfOther('send', of(2)), false);
  });
});
