/** A person at a terminal: questions and their answers, keys, and the state in which the terminal is left. */
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { describe, it } from 'node:test';
import { dispatch } from '../../src/cli/dispatch.ts';
import { Keys, type Signals } from '../../src/cli/keys.ts';
import { describeOffer } from '../../src/cli/questions.ts';
import { Screen } from '../../src/cli/screen.ts';
import type { OfferSummary, Overwrite, ReceiveOptions } from '../../src/node/api.ts';
import { on } from '../platform.ts';
import { answer, type FakeTransfer, fakeHost, Keyboard, RESULT, Sink } from './fakes.ts';

const OFFER: OfferSummary = {
  files: 25,
  folders: 1,
  links: 0,
  bytes: null,
  kind: 'files',
  update: false,
  names: Array.from({ length: 20 }, (_, i) => `name${i}`),
  tops: 26,
  peer: { fingerprint: RESULT.peer, name: 'laptop' },
};

/** Types each answer when a question that fits has been asked since the last answer. */
class Person {
  readonly keyboard = new Keyboard();
  readonly stderr = new Sink(true);
  readonly answers: [question: RegExp, keys: string][];

  constructor(...answers: [question: RegExp, keys: string][]) {
    this.answers = answers;
    let from = 0;
    const write = this.stderr._write.bind(this.stderr);
    this.stderr._write = (chunk, encoding, done) => {
      write(chunk, encoding, done);
      const [question, keys] = answers[0] ?? [];
      if (!question?.test(this.stderr.text.slice(from))) return;
      from = this.stderr.text.length;
      answers.shift();
      setImmediate(() => this.keyboard.write(keys!));
    };
  }
}

async function receive(
  person: Person,
  argv: string[],
  script: (transfer: FakeTransfer, options: ReceiveOptions) => void | Promise<void>,
): Promise<number> {
  const host = fakeHost({ stdin: person.keyboard, stderr: person.stderr, receive: script });
  const exit = await dispatch(['receive', ...argv], host);
  assert.equal(person.keyboard.raw, false, 'the terminal is left as it was');
  return exit;
}

const accept = async (transfer: FakeTransfer, options: ReceiveOptions) =>
  (await answer(options, OFFER)) ? transfer.finish() : transfer.fail('REFUSED', 'Declined here.');

describe('cli: questions', { timeout: 60_000 }, () => {
  it('accepts on y and on nothing else', async () => {
    for (const [answer, exit] of [
      ['y\r', 0],
      ['YES\r', 0],
      ['\r', 7],
      ['n\r', 7],
      ['\x04', 7], // Ctrl-D
    ] as const) {
      const person = new Person([/Accept into .*\[y\/N\]/, answer]);
      assert.equal(await receive(person, ['7-a'], accept), exit, JSON.stringify(answer));
      assert.match(
        person.stderr.text,
        /laptop \(fedc ba98 7654 3210\) offers 25 files, 1 folder, of unknown size:/,
      );
      assert.match(person.stderr.text, /^ {4}name19$/m);
    }
  });

  it('Ctrl-C at a question interrupts', async () => {
    const person = new Person([/Accept/, '\x03']);
    const exit = await receive(person, ['7-a'], async (transfer, options) => {
      await assert.rejects(answer(options, OFFER), { code: 'INTERRUPTED' });
      transfer.fail('INTERRUPTED', 'x');
    });
    assert.equal(exit, 130);
  });

  it('asks about each file that exists, until a capital letter answers for all', async () => {
    const person = new Person(
      [/a exists/, 's\r'],
      [/b exists/, 'q\r'], // not an answer: asked again
      [/b exists/, 'rename\r'],
      [/c exists/, 'P\r'],
    );
    const choices: Overwrite[] = [];
    const exit = await receive(person, ['7-a', '--yes'], async (transfer, options) => {
      choices.push(
        ...(await Promise.all(['a', 'b', 'c', 'd', 'e'].map((path) => options.onConflict!(path)))),
      );
      transfer.finish();
    });
    assert.equal(exit, 0);
    assert.deepEqual(choices, ['skip', 'rename', 'replace', 'replace', 'replace']);
  });

  const conflicts = (update: boolean, choices: Overwrite[]) => {
    return async (transfer: FakeTransfer, options: ReceiveOptions) => {
      assert.equal(await answer(options, { ...OFFER, update }), true);
      for (const path of ['a', 'b']) choices.push(await options.onConflict!(path));
      transfer.finish();
    };
  };

  it('asks once whether to follow what the sender calls a refresh', async () => {
    for (const argv of [['7-a', '--yes'], ['7-a']]) {
      const person = new Person([/Accept into/, 'y\r'], [/calls this a refresh.*\[y\/N\]/, 'y\r']);
      const choices: Overwrite[] = [];
      if (argv.includes('--yes')) person.answers.shift();
      assert.equal(await receive(person, argv, conflicts(true, choices)), 0);
      assert.deepEqual(choices, ['update', 'update']);
    }
  });

  it('asks about each file if not, or if there was no such word', async () => {
    for (const update of [true, false]) {
      const person = new Person([/refresh/, '\r'], [/a exists.*\[u\]pdate/, 'u\r'], [/b exists/, 'U\r']);
      const choices: Overwrite[] = [];
      if (!update) person.answers.shift();
      assert.equal(await receive(person, ['7-a', '--yes'], conflicts(update, choices)), 0);
      assert.deepEqual(choices, ['update', 'update']);
      assert.equal(person.stderr.text.includes('refresh'), update);
    }
  });

  it('a refresh is not asked about where a policy is given', async () => {
    const person = new Person();
    const exit = await receive(person, ['7-a', '--yes', '--update'], async (transfer, options) => {
      await answer(options, { ...OFFER, update: true });
      assert.deepEqual([options.overwrite, options.onConflict], ['update', undefined]);
      transfer.finish();
    });
    assert.equal(exit, 0);
  });

  it('what is neither yes nor no decides nothing', async () => {
    for (const [answer, exit] of [
      ['Y\r', 0],
      ['n\r', 7],
      ['\r', 7],
    ] as const) {
      const person = new Person([/Accept/, 'yse\r'], [/Type y for yes/, 'x\r'], [/Type y for yes/, answer]);
      assert.equal(await receive(person, ['7-a'], accept), exit, JSON.stringify(answer));
    }
  });

  it('no answer overwrites nothing', async () => {
    const person = new Person([/exists/, '\x04']);
    await receive(person, ['7-a', '--yes'], async (transfer, options) => {
      assert.equal(await options.onConflict!('\x1b[2J'), 'skip');
      transfer.finish();
    });
    assert.match(person.stderr.text, /\\u\{1b\}\[2J exists/);
  });

  it('prompts for the code, again if it is malformed, and asks about a likely typo', async () => {
    const codes: (string | undefined)[] = [];
    const script = (transfer: FakeTransfer, options: ReceiveOptions) => {
      codes.push(options.code);
      transfer.finish();
    };
    const yes = new Person(
      [/Code: /, 'nonsense\r'],
      [/Code: /, '7-abandn-zoo\r'],
      [/Did you mean 7-abandon-zoo\?/, '\r'],
    );
    assert.equal(await receive(yes, ['--yes'], script), 0);
    const no = new Person([/Did you mean/, 'n\r']);
    assert.equal(await receive(no, ['7-abandn-zoo', '--yes'], script), 0);
    const again = new Person([/'xat' is not .* 'cat', 'fat' or 'hat'\?/, '7 abandon hat\r']);
    assert.equal(await receive(again, ['7-abandon-xat', '--yes'], script), 0);
    const sure = new Person([/'xat' is not/, '\r'], [/'xat' is not/, 'y\r']);
    assert.equal(await receive(sure, ['7-abandon-xat', '--yes'], script), 0);
    // A code in place of yes or no is no no.
    const corrected = new Person([/Did you mean/, '7-abandn-gas\r'], [/Did you mean 7-abandon-gas/, 'y\r']);
    assert.equal(await receive(corrected, ['7-abandn-zoo', '--yes'], script), 0);
    const unclear = new Person([/Did you mean/, 'what?\r'], [/Code: /, '7-abandon-gas\r']);
    assert.equal(await receive(unclear, ['7-abandn-zoo', '--yes'], script), 0);
    assert.deepEqual(codes, [
      ...['7-abandon-zoo', '7-abandn-zoo', '7-abandon-hat', '7-abandon-xat'],
      ...['7-abandon-gas', '7-abandon-gas'],
    ]);
    const none = new Person([/Code: /, '\x04']);
    assert.equal(await receive(none, ['--yes'], script), 2);
    assert.deepEqual(codes.length, 6);
  });

  it('describes a text and an unnamed peer', () => {
    const text = { ...OFFER, kind: 'text' as const, bytes: 12, peer: { fingerprint: RESULT.peer } };
    assert.deepEqual(describeOffer(text), ['The other side (fedc ba98 7654 3210) offers a text, 12 B.']);
    assert.equal(describeOffer(OFFER).at(-1), '    ...');
  });
});

class FakeSignals extends EventEmitter implements Signals {
  readonly pid = 4711;
  readonly sent: [number, string][] = [];
  kill(pid: number, signal: string): void {
    this.sent.push([pid, signal]);
  }
}

function keys(foreground = true) {
  const keyboard = new Keyboard();
  const signals = new FakeSignals();
  const calls: string[] = [];
  const call = (name: string) => () => void calls.push(name);
  const actions = {
    pause: call('pause'),
    resume: call('resume'),
    askCancel: call('ask'),
    cancel: call('cancel'),
    interrupt: call('interrupt'),
    redraw: call('redraw'),
    background: call('background'),
  };
  const stand = { foreground };
  const pressed = new Keys(keyboard, actions, signals, () => stand.foreground);
  return { keyboard, signals, calls, stand, keys: pressed };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('cli: keys', () => {
  it('p, r, c and Ctrl-C do what they say; arrows and other keys do nothing', async () => {
    const { keyboard, calls, keys: pressed } = keys();
    pressed.start();
    assert.equal(keyboard.raw, true);
    for (const key of ['p', 'R', 'x', '\x1b[C', 'c', 'c', '\x03']) {
      keyboard.write(key);
      await settled();
    }
    pressed.stop();
    assert.deepEqual(calls, ['pause', 'resume', 'ask', 'cancel', 'interrupt']);
    assert.equal(keyboard.raw, false);
  });

  it('c asks first, and again once another key was pressed', async () => {
    const { keyboard, calls, keys: pressed } = keys();
    pressed.start();
    for (const key of ['c', 'x', 'c', 'p', 'c']) {
      keyboard.write(key);
      await settled();
    }
    pressed.stop();
    assert.deepEqual(calls, ['ask', 'ask', 'pause', 'ask']);
  });

  it('gives the terminal back for Ctrl-Z and takes it again after', async () => {
    const { keyboard, signals, calls, keys: pressed } = keys();
    pressed.start();
    keyboard.write('\x1a');
    await settled();
    assert.deepEqual(signals.sent, [[0, 'SIGTSTP']]);
    signals.emit('SIGTSTP');
    assert.equal(keyboard.raw, false);
    assert.deepEqual(signals.sent[1], [4711, 'SIGSTOP']);
    signals.emit('SIGCONT');
    assert.equal(keyboard.raw, true);
    assert.deepEqual(calls, ['redraw']);
    pressed.stop();
  });

  it('stops nothing for Ctrl-Z on Windows, which has no such signal', async () => {
    const { keyboard, signals, calls, keys: pressed } = keys();
    pressed.start();
    await on('win32', async () => {
      keyboard.write('\x1a');
      await settled();
    });
    keyboard.write('p');
    await settled();
    pressed.stop();
    assert.deepEqual([signals.sent, calls, keyboard.raw], [[], ['pause'], false]);
  });

  it('gives the terminal back when the process ends, and leaves no listeners', () => {
    const { keyboard, signals, keys: pressed } = keys();
    pressed.start();
    signals.emit('exit');
    assert.equal(keyboard.raw, false);
    pressed.stop();
    assert.deepEqual(signals.eventNames(), []);
    assert.equal(keyboard.listenerCount('data'), 0);
  });

  it('does not touch the terminal from the background', () => {
    const { keyboard, calls, keys: pressed } = keys(false);
    pressed.start();
    assert.equal(keyboard.raw, false);
    assert.deepEqual(calls, ['background']);
  });

  it('Ctrl-Z and bg: it stays away from the terminal until fg, and has keys again then', async () => {
    const { keyboard, signals, calls, stand, keys: pressed } = keys();
    pressed.start();
    signals.emit('SIGTSTP');
    stand.foreground = false;
    signals.emit('SIGCONT');
    assert.equal(keyboard.raw, false);
    stand.foreground = true;
    signals.emit('SIGCONT');
    assert.equal(keyboard.raw, true);
    assert.deepEqual(calls, ['background', 'redraw']);
    // Stopped from outside, without a word before: the shell has the terminal, and its mode is the shell's.
    stand.foreground = false;
    signals.emit('SIGCONT');
    keyboard.setRawMode = () => assert.fail('the terminal was touched');
    pressed.stop();
    assert.deepEqual(calls, ['background', 'redraw', 'background']);
  });

  it('fg of a job that ran on in the background, of which no signal tells, brings the keys back', (t) => {
    t.mock.timers.enable({ apis: ['setInterval'] });
    const { keyboard, calls, stand, keys: pressed } = keys(false);
    pressed.start();
    t.mock.timers.tick(10_000);
    assert.equal(keyboard.raw, false);
    stand.foreground = true;
    t.mock.timers.tick(500);
    assert.equal(keyboard.raw, true);
    assert.deepEqual(calls, ['background', 'redraw']);
    stand.foreground = false;
    t.mock.timers.tick(10_000);
    assert.deepEqual(calls, ['background', 'redraw']);
    pressed.stop();
  });

  it('in the background no status is drawn, and held lines come when it is in front again', () => {
    const stderr = new Sink(true);
    const screen = new Screen(stderr);
    screen.hold('status');
    screen.status(['50%']);
    screen.line('said');
    assert.equal(stderr.text, 'said\n');
    screen.hold('all');
    screen.line('held');
    assert.equal(stderr.text, 'said\n');
    screen.hold('nothing');
    assert.equal(stderr.text, 'said\n\x1b[?2026hheld\n50%\n\x1b[?2026l');
  });

  it('reach the transfer while it runs', async () => {
    const keyboard = new Keyboard();
    const stderr = new Sink(true);
    let transfer: FakeTransfer | undefined;
    const host = fakeHost({
      stdin: keyboard,
      stderr,
      async send(running) {
        transfer = running;
        // Only a foreground process has keys, and a test runner may be in the background.
        if (keyboard.raw) {
          keyboard.write('prc');
          await settled();
        }
        running.finish();
      },
    });
    const raw = keyboard.listenerCount('data');
    assert.equal(await dispatch(['send', 'x'], host), 0);
    assert.equal(raw, 0);
    assert.ok([0, 3].includes(transfer!.calls.length), String(transfer!.calls));
    assert.equal(keyboard.raw, false);
  });
});
