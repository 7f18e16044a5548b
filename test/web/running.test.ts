import assert from 'node:assert/strict';
import test from 'node:test';
import type { ErrorCode, TransferEvent } from '../../src/browser/index.ts';
import { linePath, longer, NO_HISTORY } from '../../web/model/history.ts';
import { rough, steady } from '../../web/model/left.ts';
import { begun, next, percent, type TransferShown, withState } from '../../web/model/running.ts';
import { mustStay, mustWake, screenOf, stateOf, type View } from '../../web/model/view.ts';
import { warningMessage } from '../../web/model/warnings.ts';
import { announcement, sentence, swarmWords, title } from '../../web/model/words.ts';

type To = Extract<TransferEvent, { event: 'state' }>['to'];

const to = (state: To, by?: 'self' | 'peer', code?: ErrorCode): TransferEvent => ({
  ...{ event: 'state', from: 'idle', to: state },
  ...(by && { by }),
  ...(code && { code, reason: 'A sentence.' }),
});
const after = (role: TransferShown['role'], ...events: TransferEvent[]): TransferShown =>
  events.reduce(next, begun(role));
const shown = (running: TransferShown): View => ({ at: 'transfer', running });
const code: TransferEvent = { event: 'code', code: '7-velvet-canyon' };
const progress: TransferEvent = {
  ...{ event: 'progress', bytes: 250, total: 1000, rate: 50, eta: 15, files: 1 },
  ...{ by: { webrtc: 60 }, file: 'a' },
};

test('a sender waits once it has a code, until somebody comes', () => {
  assert.equal(stateOf(shown(after('send', to('connecting')))), 'connecting');
  const waiting = after('send', to('connecting'), code);
  assert.equal(stateOf(shown(waiting)), 'waiting');
  assert.equal(stateOf(shown(next(waiting, to('authenticating')))), 'authenticating');
  // The one who came had the wrong server or went away: it is as before.
  assert.equal(stateOf(shown(after('send', code, to('authenticating'), to('connecting')))), 'waiting');
  // Once they were connected, it is this connection that is awaited.
  assert.equal(stateOf(shown(after('send', code, to('transferring'), to('connecting')))), 'connecting');
});

test('a receiver never waits for somebody with its code', () => {
  assert.equal(stateOf(shown(after('receive', to('connecting')))), 'connecting');
});

test('a pause and a lost connection keep the screen, and so the focus', () => {
  const running = after('send', code, to('transferring'), progress);
  const paused = next(running, to('paused', 'self'));
  const lost = next(running, to('connecting'));
  assert.deepEqual([running, paused, lost].map(shown).map(screenOf), ['running', 'running', 'running']);
  assert.equal(lost.rate, 0);
  assert.deepEqual(lost.byKind, {});
});

test('what arrives while it is paused or lost is counted, without a rate or a time left', () => {
  const running = after('receive', to('transferring'), progress);
  for (const state of ['paused', 'connecting', 'authenticating'] as const) {
    const late = next(next(running, to(state)), { ...progress, bytes: 300, silent: 4 } as TransferEvent);
    assert.deepEqual(
      [late.bytes, late.rate, late.eta, late.byKind, late.silent],
      [300, 0, null, {}, undefined],
      state,
    );
  }
});

test('a silent other side is known until it is heard of, or another state says more', () => {
  const silent = after('receive', to('transferring'), { ...progress, silent: 5 } as TransferEvent);
  assert.equal(silent.silent, 5);
  assert.equal(next(silent, progress).silent, undefined);
  assert.equal(next(silent, to('connecting')).silent, undefined);
});

test('who paused or cancelled is said', () => {
  assert.match(sentence(after('send', to('transferring'), to('paused', 'self'))), /^You paused/);
  assert.match(sentence(after('send', to('transferring'), to('paused', 'peer'))), /^The other side paused/);
  assert.match(
    sentence(after('send', to('transferring'), to('paused', 'peer', 'DISK_FULL'))),
    /^The other device is full\. It goes on by itself/,
  );
  assert.match(
    sentence(after('receive', to('transferring'), to('paused', 'self', 'DISK_FULL'))),
    /^This device is full\. /,
  );
  // A sender that says so says nothing about this device.
  assert.match(
    sentence(after('receive', to('transferring'), to('paused', 'peer', 'DISK_FULL'))),
    /^The other side paused/,
  );
  assert.match(sentence(after('send', to('cancelled', 'self'))), /^You/);
  assert.match(sentence(after('send', to('cancelled', 'peer'))), /^The other side/);
});

test('percent is 100 only when all is there', () => {
  assert.equal(percent({ bytes: 999_999, total: 1_000_000 }), 99);
  assert.equal(percent({ bytes: 1, total: 1 }), 100);
  assert.equal(percent({ bytes: 0, total: 0 }), 100);
  assert.equal(percent({ bytes: 5, total: null }), undefined);
});

test('the title tells state and percent', () => {
  assert.equal(title({ at: 'home', code: '' }), 'Beeline');
  assert.equal(title(shown(after('send', to('transferring'), progress))), '25% · Sending · Beeline');
  assert.equal(
    title(shown(after('receive', to('transferring'), progress, to('paused')))),
    '25% · Paused · Beeline',
  );
});

test('progress is announced at each quarter, and between them nothing is', () => {
  const running = after('receive', to('transferring'), progress);
  const at = (bytes: number) => announcement(shown(next(running, { ...progress, bytes } as TransferEvent)));
  assert.match(at(250), /25 percent done/);
  assert.equal(at(499), at(250));
  assert.match(at(500), /50 percent done/);
  assert.doesNotMatch(at(249), /percent/);
});

test('the speed over time keeps its shape in a bounded number of points', () => {
  let history = NO_HISTORY;
  for (let at = 0; at < 10_000; at++) history = longer(history, at);
  assert.ok(history.points.length > 40 && history.points.length <= 96, `${history.points.length} points`);
  assert.ok(history.points.every((point, at) => at === 0 || point > history.points[at - 1]!));
  assert.match(linePath(history, 320, 48), /^M0\.0 [\d.]+(L[\d.]+ [\d.]+)+$/);
  assert.equal(linePath(NO_HISTORY, 320, 48), '');
});

test('the time left goes down, and up only when it is much longer', () => {
  assert.deepEqual([3, 12, 61, 130, 700, 5000, 40_000].map(rough), [3, 10, 60, 120, 720, 4800, 39_600]);
  let left: number | undefined;
  const shows = [100, 98, 104, 99, 90, 110, 140].map((eta) => {
    left = steady(left, eta);
    return left;
  });
  assert.deepEqual(shows, [105, 105, 105, 105, 90, 90, 150]);
});

test('what is whole is ticked as soon as it is told, and only that', () => {
  const moves = (file: string, fileBytes: number): TransferEvent =>
    ({ ...progress, file, fileSize: 10, fileBytes }) as TransferEvent;
  const whole = (...names: string[]): TransferEvent => ({ event: 'whole', names });
  const running = after('receive', to('transferring'), moves('d', 10), whole('a', 'b/'), whole('c'));
  const state = (name: string) => withState({ name }, running).state;
  assert.deepEqual(['a', 'b/', 'c', 'd', 'e'].map(state), ['whole', 'whole', 'whole', 'moves', undefined]);
});

test('names of an offer, which come escaped, are those of the files that move', () => {
  const moves = (file: string, fileBytes: number): TransferEvent =>
    ({ ...progress, file, fileSize: 10, fileBytes }) as TransferEvent;
  const whole: TransferEvent = { event: 'whole', names: ['a\u202eb', 'g\u202e/'] };
  const running = after('receive', to('transferring'), whole, moves('f\u202e/c', 5));
  const state = (name: string) => withState({ name }, running).state;
  assert.deepEqual(['a\\u{202e}b', 'a\u202eb', 'g\\u{202e}/', 'f\\u{202e}/', 'f', 'c'].map(state), [
    ...['whole', 'whole', 'whole', 'moves', undefined, undefined],
  ]);
  const part = withState({ name: 'd\\u{202e}' }, next(running, moves('d\u202e', 5)));
  assert.deepEqual([part.state, part.part], ['moves', 0.5]);
});

test('leaving is warned of while there is something to lose', () => {
  assert.equal(mustStay({ at: 'home', code: '' }), false);
  assert.equal(mustStay(shown(after('send', to('connecting'), code))), true);
  assert.equal(mustStay(shown(after('send', to('transferring')))), true);
  for (const end of ['completed', 'failed', 'cancelled'] as const)
    assert.equal(mustStay(shown(after('send', to('transferring'), to(end)))), false);
  assert.equal(mustWake(shown(after('send', to('transferring'), to('paused')))), false);
});

test('what a receiver shares is said once something has moved', () => {
  const swarm = (up: number, down: number): TransferEvent => ({ event: 'swarm', from: 1, to: 0, up, down });
  assert.equal(swarmWords(after('receive')), '');
  assert.equal(swarmWords(after('receive', swarm(0, 0))), '');
  assert.equal(
    swarmWords(after('receive', swarm(1000, 0), swarm(2000, 3000))),
    '3.00 kB came from other receivers, 2.00 kB went to them',
  );
});

test('a flood of warnings is cut', () => {
  const warning: TransferEvent = { event: 'warning', code: 'UNREADABLE', message: 'x', path: 'a' };
  const running = after('receive', ...Array.from({ length: 1000 }, () => warning));
  assert.equal(running.warnings.length, 50);
  assert.equal(warningMessage(running.warnings[0]!), 'a: x');
});

test('what a receiver hears of other receivers changes nothing but the warnings that it shows', () => {
  const lane = { event: 'lane', kind: 'tcp', local: 'a:1', remote: 'b:2', status: 'open' } as const;
  const own = next(begun('receive'), { ...lane, peer: 1, id: 1 });
  for (const event of [
    { ...lane, peer: 2, id: 1, status: 'closed' },
    { event: 'peer', peer: 2, fingerprint: 'f', agent: '' },
  ] as const)
    assert.equal(next(own, event), own);
  const warned = next(own, { event: 'warning', peer: 2, code: 'TIMEOUT', message: 'it is silent' });
  assert.equal(warned.warnings.length, 1);
  // At a sender each number is a receiver's.
  const sends = next(begun('send'), { ...lane, peer: 2, id: 1 });
  assert.equal(sends.lanes.size, 1);
});
