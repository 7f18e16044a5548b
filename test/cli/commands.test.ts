/** The commands around a transfer that a test drives: what goes where, and with which exit code. */
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, describe, it } from 'node:test';
import type { ErrorCode } from '../../src/base/errors.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { afterCancel } from '../../src/cli/interrupt.ts';
import { NO_TERMINAL } from '../../src/cli/questions.ts';
import { Tracker } from '../../src/cli/tracker.ts';
import type { OfferSummary, ReceiveOptions, Result, SendOptions, TransferEvent } from '../../src/node/api.ts';
import { answer, type FakeTransfer, fakeHost, RESULT, type Script, Sink } from './fakes.ts';
import { VirtualTerminal } from './vt.ts';

const CODE = '7-velvet-canyon';
const OFFER: OfferSummary = {
  files: 2,
  folders: 1,
  links: 0,
  bytes: 3_000_000,
  kind: 'files',
  update: false,
  names: ['holiday/', 'notes.txt'],
  tops: 2,
  peer: { fingerprint: RESULT.peer },
};

const folder = mkdtempSync(join(tmpdir(), 'beeline-cli-'));
after(() => rmSync(folder, { recursive: true }));

const usual = (transfer: FakeTransfer): void => {
  transfer.emit(
    { event: 'code', code: CODE },
    { event: 'peer', fingerprint: RESULT.peer, agent: 'other/1\x1b[2J' },
    { event: 'state', from: 'authenticating', to: 'transferring' },
    {
      event: 'progress',
      bytes: 1,
      total: 3_000_000,
      rate: 1,
      eta: 2,
      files: 0,
      by: {},
      file: '\x1b[31mred\u202e',
    },
    { event: 'state', from: 'transferring', to: 'paused', by: 'peer' },
    { event: 'state', from: 'paused', to: 'transferring', by: 'self' },
    { event: 'digest', path: 'a\nb', sha256: 'ab'.repeat(32) },
  );
  transfer.finish();
};

const accepting: Script<ReceiveOptions> = async (transfer, options) => {
  if (!(await answer(options, OFFER))) transfer.fail('REFUSED', 'Declined.');
  else transfer.finish();
};

describe('cli: send', () => {
  it('tells what, the code, the command for the other side, and how it ended; all on stderr', async () => {
    const host = fakeHost({ send: usual });
    assert.equal(await dispatch(['send', 'a.txt', '--server', 'ws://h:1/?a&b'], host), 0);
    assert.equal(host.stdout.text, '');
    const { text } = host.stderr;
    const order = [
      /^Sending a\.txt$/m,
      /^Code: 7-velvet-canyon$/m,
      /^ {4}beeline receive 7-velvet-canyon --server 'ws:\/\/h:1\/\?a&b'$/m,
      /^Waiting/m,
      /^The other side paused\.$/m,
      /^Resumed\.$/m,
      /^Sent 2 files, 3\.00 MB in 2\.0s \(1\.50 MB\/s\)\.$/m,
      /^Verified\. Root 0123 4567 89ab cdef, the same on both sides\. Peer fedc ba98 7654 3210\.$/m,
    ].map((pattern) => text.search(pattern));
    assert.ok(!order.includes(-1), `${order}\n${text}`);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
    );
    assert.doesNotMatch(text, /[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/);
  });

  it('tells what each of several receivers runs, and until when it waits', async () => {
    const told = async (what: string, ...flags: string[]) => {
      const host = fakeHost({
        send(transfer) {
          transfer.emit({ event: 'code', code: '7-a-b-c' });
          transfer.finish();
        },
      });
      assert.equal(await dispatch(['send', what, '--server', 'ws://h', ...flags], host), 0);
      return host.stderr.text;
    };
    const three = await told('a.txt', '--receivers', '3');
    assert.match(three, /^Each receiver runs:\n\n {4}beeline receive 7-a-b-c --server ws:\/\/h$/m);
    assert.match(three, /^Waiting for 3 receivers\.\.\.$/m);
    assert.match(await told('a.txt', '--receivers', 'any'), /^Waiting for receivers\. Ctrl-C ends it\.$/m);
    assert.match(
      await told('-', '--receivers', '3'),
      /^Waiting for 3 receivers; it begins when all are there\.\.\.$/m,
    );
    assert.match(await told('a.txt', '--receivers', '1'), /^On the other machine, run:$/m);
  });

  it('counts what was there already, in words', async () => {
    const told = async (command: 'send' | 'receive', result: Partial<Result>, ...flags: string[]) => {
      const play = (transfer: FakeTransfer) => {
        const files = { kind: 'files', files: 3, folders: 0, links: 0, bytes: 9, chunkSize: 1 } as const;
        transfer.emit({ event: 'manifest', ...files });
        transfer.finish(result);
      };
      const host = fakeHost({ send: play, receive: play });
      const argv = command === 'send' ? ['x'] : [CODE, '--yes'];
      assert.equal(await dispatch([command, ...argv, ...flags], host), 0);
      return host.stderr.text;
    };
    assert.match(await told('receive', { files: 0, bytes: 0 }, '--update'), /^Up to date: 3 files\.$/m);
    assert.match(
      await told('receive', { files: 0, bytes: 0 }, '--overwrite', 'skip'),
      /^Nothing new: what is here was kept \(3 files\)\.$/m,
    );
    assert.match(await told('send', { files: 0, bytes: 0 }), /^Nothing to send: .* \(3 files\)\.$/m);
    const some = await told('receive', { files: 2, bytes: 6 }, '--update');
    assert.match(some, /^Received 2 files, 6 B in 2\.0s \(3 B\/s\)\.\n1 file was up to date\.$/m);
    // One that was left out for another reason is not counted as kept.
    assert.doesNotMatch(await told('receive', { files: 2, skipped: ['a'] }, '--update'), /up to date/);
  });

  it('--dry-run lists what would be sent, with its sums, and sends nothing', async () => {
    const top = join(folder, 'dry');
    mkdirSync(join(top, 'sub'), { recursive: true });
    writeFileSync(join(top, 'a\u202eb'), 'x'.repeat(1500));
    writeFileSync(join(top, 'b.log'), 'x');
    const send = () => assert.fail('nothing is sent');
    const host = fakeHost({ send });
    const argv = ['send', top, '--dry-run', '--exclude', '*.log'];
    assert.equal(await dispatch(argv, host), 0);
    assert.equal(host.stdout.text, '  folder  dry/\n 1.50 kB  dry/a\\u{202e}b\n  folder  dry/sub/\n');
    assert.equal(host.stderr.text, 'Would send: 1 file, 2 folders, 1.50 kB. Left out by filters: 1.\n');
    const json = fakeHost({ send });
    assert.equal(await dispatch([...argv, '--json'], json), 0);
    const events = json.stdout.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(events[1], { event: 'entry', path: 'dry/a\u202eb', kind: 'file', size: 1500 });
    assert.deepEqual(events.at(-1), {
      event: 'would-send',
      files: 1,
      folders: 2,
      links: 0,
      bytes: 1500,
      leftOut: 1,
    });
    for (const wrong of [['--text', 'x'], ['-']]) {
      const refused = fakeHost({ send });
      assert.equal(await dispatch(['send', ...wrong, '--dry-run'], refused), 2);
    }
    const nothing = fakeHost({ send });
    assert.equal(await dispatch(['send', top, '--dry-run', '--include', '*.jpg'], nothing), 2);
    assert.match(nothing.stderr.text, /The filters leave nothing to send/);
  });

  it('gives the library its filters', async () => {
    let given: SendOptions | undefined;
    const host = fakeHost({
      send: (transfer, options) => {
        given = options;
        transfer.finish();
      },
    });
    const argv = ['send', 'x', '--exclude', 'a', '--exclude=-b', '--include', '*.c', '--gitignore'];
    assert.equal(await dispatch(argv, host), 0);
    const { exclude, include, gitignore } = given!;
    assert.deepEqual(
      { exclude, include, gitignore },
      { exclude: ['a', '-b'], include: ['*.c'], gitignore: true },
    );
  });

  it('says where the receipt is, to people and to programs', async () => {
    const send: Script<SendOptions> = (transfer, { receipt }) => {
      assert.equal(receipt, 'r.jsonl');
      transfer.finish({ receipt: '/abs/\x1b[2Jr.jsonl' });
    };
    const host = fakeHost({ send });
    assert.equal(await dispatch(['send', 'x', '--receipt', 'r.jsonl'], host), 0);
    assert.match(host.stderr.text, /^Receipt: \/abs\/\\u\{1b\}\[2Jr\.jsonl$/m);
    const json = fakeHost({ send });
    assert.equal(await dispatch(['send', 'x', '--receipt', 'r.jsonl', '--json'], json), 0);
    assert.equal(JSON.parse(json.stdout.text).receipt, '/abs/\x1b[2Jr.jsonl');
    const none = fakeHost({ send: (transfer) => transfer.finish() });
    await dispatch(['send', 'x', '--no-receipt'], none);
    assert.doesNotMatch(none.stderr.text, /Receipt/);
  });

  it('says why a full disk pauses it, on either side', async () => {
    const paused = async (by: 'self' | 'peer', reason: string) => {
      const host = fakeHost({
        send(transfer) {
          transfer.emit({ event: 'state', from: 'transferring', to: 'paused', by, reason });
          transfer.finish();
        },
      });
      await dispatch(['send', 'x'], host);
      return host.stderr.text;
    };
    assert.match(
      await paused('self', 'The disk is full.'),
      /^Paused: The disk is full\.\nIt goes on by itself/m,
    );
    assert.match(
      await paused('peer', 'The other side has no room.'),
      /^Paused: The other side has no room\. It/m,
    );
  });

  it('says that the server is away while nothing is connected, and that it is there again', async () => {
    const host = fakeHost({
      send(transfer) {
        const away = { event: 'server', reachable: false, message: 'Cannot reach h.' } as const;
        transfer.emit({ event: 'state', from: 'idle', to: 'connecting' });
        transfer.emit(away);
        transfer.emit({ event: 'server', reachable: true });
        transfer.emit({ event: 'state', from: 'connecting', to: 'transferring' });
        transfer.emit(away);
        transfer.emit({ event: 'server', reachable: true });
        transfer.emit(away);
        transfer.emit({ event: 'state', from: 'transferring', to: 'connecting' });
        transfer.finish();
      },
    });
    await dispatch(['send', 'x'], host);
    assert.deepEqual(host.stderr.text.match(/^(?:Cannot reach h|The server|Every connection).*?\./gm), [
      'Cannot reach h.',
      'The server is there again.',
      'Every connection to the other side was lost; trying again.',
      'Cannot reach h.',
    ]);
  });

  it('names the addresses only when the port is known', async () => {
    const at = fakeHost({ send: usual });
    await dispatch(['send', 'x', '--at', 'lab2.example:4848', '--no-lan'], at);
    assert.match(at.stderr.text, /beeline receive 7-velvet-canyon --at lab2\.example:4848$/m);
    const free = fakeHost({ send: usual });
    await dispatch(['send', 'x'], free);
    assert.doesNotMatch(free.stderr.text, /--at/);
  });

  it('--json gives the events and nothing else on stdout', async () => {
    const host = fakeHost({ send: usual });
    assert.equal(await dispatch(['send', 'a.txt', '--json'], host), 0);
    const lines = host.stdout.text.trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line));
    assert.deepEqual(
      events.map(({ event }) => event),
      ['code', 'peer', 'state', 'progress', 'state', 'state', 'digest', 'done'],
    );
    assert.deepEqual(events[0], { event: 'code', code: CODE });
    assert.deepEqual(Object.keys(events.at(-1)), ['event', 'files', 'bytes', 'resumed', 'seconds', 'root']);
    assert.doesNotMatch(host.stdout.text, /[\x00-\x09\x0b-\x1f\u202e]/);
    assert.equal(host.stderr.text, '');
  });

  it('--quiet says nothing, except a code that nobody could know otherwise', async () => {
    const quiet = fakeHost({ send: usual });
    await dispatch(['send', 'x', '--quiet'], quiet);
    assert.equal(quiet.stderr.text, `${CODE}\n`);
    const chosen = fakeHost({ send: usual });
    await dispatch(['send', 'x', '--quiet', '--code', CODE], chosen);
    assert.equal(chosen.stderr.text + chosen.stdout.text, '');
  });

  it('hands the options to the library', async () => {
    let seen: Record<string, unknown> = {};
    const host = fakeHost({
      send(transfer, options) {
        seen = { ...options };
        transfer.finish();
      },
    });
    await dispatch(
      ['send', '-', '--name', 'a.tar', '--skip-unreadable', '--limit', '1M', '--lanes', '3', '--update'],
      host,
    );
    assert.equal(seen.update, true);
    assert.equal(seen.receipt, true);
    assert.deepEqual(seen.what, ['-']);
    assert.equal(seen.stdinName, 'a.tar');
    assert.equal(seen.onUnreadable, 'skip');
    assert.equal(seen.limit, 1_000_000);
    assert.equal(seen.lanes, 3);
    assert.ok(seen.signal instanceof AbortSignal);
    assert.equal(seen.log, undefined);
  });

  it('reads a pre-shared key without its line end, and refuses a short one', async () => {
    const path = join(folder, 'psk');
    writeFileSync(path, 'sixteen bytes ok\r\n');
    let psk: Uint8Array | undefined;
    const host = fakeHost({
      send(transfer, options) {
        psk = options.psk;
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['send', 'x', '--psk-file', path], host), 0);
    assert.equal(Buffer.from(psk!).toString(), 'sixteen bytes ok');
    assert.match(host.stderr.text, /beeline receive --psk-file/);
    writeFileSync(path, 'fifteen bytes..\n');
    assert.equal(await dispatch(['send', 'x', '--psk-file', path], host), 2);
    assert.match(host.stderr.text, /holds 15 bytes/);
    assert.equal(await dispatch(['send', 'x', '--psk-file', join(folder, 'none')], host), 2);
  });

  it('draws the link as a QR code by itself, where a terminal has room for it', async () => {
    const drawn = async (size: { rows: number; columns?: number; TERM?: string }, ...flags: string[]) => {
      const { rows, columns = 80, TERM = 'xterm' } = size;
      const stderr = Object.assign(new Sink(true, columns), { rows });
      const host = fakeHost({
        stderr,
        env: { TERM },
        send(transfer) {
          transfer.emit({ event: 'code', code: CODE });
          transfer.finish();
        },
      });
      assert.equal(await dispatch(['send', 'x', ...flags], host), 0);
      return /[▀▄█]{3}/.test(stderr.text);
    };
    const server = ['--server', 'wss://beeline.example.org'];
    assert.equal(await drawn({ rows: 50 }, ...server), true);
    assert.equal(await drawn({ rows: 24 }, ...server), false);
    assert.equal(await drawn({ rows: 50, columns: 20 }, ...server), false);
    assert.equal(await drawn({ rows: 50, TERM: 'dumb' }, ...server), false);
    assert.equal(await drawn({ rows: 50 }, ...server, '--quiet'), false);
    // A code alone is nothing that a telephone can open.
    assert.equal(await drawn({ rows: 50 }), false);
    assert.equal(await drawn({ rows: 24 }, ...server, '--qr'), true);
    // Wrapped, it is nothing that a camera can read.
    assert.equal(await drawn({ rows: 24, columns: 20 }, ...server, '--qr'), false);
  });

  it('counts the files that are found, in place, until there is a code', async () => {
    const script = (transfer: FakeTransfer) => {
      transfer.emit({ event: 'reading', files: 41_000 });
      transfer.emit({ event: 'warning', code: 'UNREADABLE', message: 'Left out.' });
      transfer.emit({ event: 'reading', files: 200_000 }, { event: 'code', code: CODE });
      transfer.finish();
    };
    for (const [columns, whole] of [
      [80, 'Reading: 200,000 files'],
      [20, '…ing: 200,000 files'],
    ] as const) {
      const stderr = new VirtualTerminal(columns);
      const shown: string[][] = [];
      await dispatch(['send', 'x'], Object.assign(fakeHost({ send: script }), { stderr }));
      for (const write of stderr.writes) {
        const after = new VirtualTerminal(columns);
        after.write(stderr.writes.slice(0, stderr.writes.indexOf(write) + 1).join(''));
        shown.push(await after.lines());
      }
      assert.deepEqual(shown[1]!.slice(1), [
        columns === 80 ? 'Reading: 41,000 files' : '…ding: 41,000 files',
      ]);
      assert.deepEqual(shown[2]!.slice(1, 2), ['Warning: Left out.']);
      assert.deepEqual(shown[3]!.slice(1), ['Warning: Left out.', whole]);
      assert.ok(!shown.at(-1)!.some((line) => /files$/.test(line) && /ing: /.test(line)));
    }
    const plain = fakeHost({ send: script });
    await dispatch(['send', 'x'], plain);
    assert.doesNotMatch(plain.stderr.text, /Reading/);
    const json = fakeHost({ send: script });
    await dispatch(['send', 'x', '--json'], json);
    assert.match(json.stdout.text, /^\{"event":"reading","files":41000\}$/m);
  });

  it('--qr draws the code', async () => {
    const host = fakeHost({ send: usual });
    await dispatch(['send', 'x', '--qr'], host);
    assert.match(host.stderr.text, /█[▀▄█ ]{20,}█/);
  });

  it('tells a failure once for people, once for programs, and exits by its code', async () => {
    for (const [code, exit] of [
      ['WRONG_CODE', 4],
      ['VERIFICATION', 5],
      ['NO_PEER', 6],
      ['DISK_FULL', 1],
    ] as [ErrorCode, number][]) {
      const host = fakeHost({ send: (transfer) => transfer.fail(code, 'It\x1b[2J went wrong.') });
      assert.equal(await dispatch(['send', 'x', '--json'], host), exit);
      const events = host.stdout.text.trimEnd().split('\n');
      assert.deepEqual(
        events.map((line) => JSON.parse(line)),
        [{ event: 'error', code, message: 'It\x1b[2J went wrong.' }],
      );
      assert.equal(host.stderr.text, 'beeline: It\\u{1b}[2J went wrong.\n');
    }
  });

  it('says who cancelled, and what is kept', async () => {
    const whole = { bytes: 5, total: 9, rate: 1, eta: null, by: {}, files: 0 };
    for (const [by, moved, says] of [
      ['peer', {}, 'beeline: The other side cancelled the transfer. Nothing had moved yet.\n'],
      ['self', whole, 'beeline: Cancelled. The receiver keeps only files that are whole.\n'],
    ] as const) {
      const host = fakeHost({
        send(transfer) {
          if ('bytes' in moved) transfer.emit({ event: 'progress', ...moved });
          transfer.emit({ event: 'state', from: 'transferring', to: 'cancelled', by });
          transfer.fail('CANCELLED', 'over');
        },
      });
      assert.equal(await dispatch(['send', 'x', '-q'], host), 3);
      assert.equal(host.stderr.text, says);
    }
    const receiver = { role: 'receive', newCode: true, keeps: true } as const;
    const view = Object.assign(new Tracker(), { bytes: 5, total: 9 });
    assert.equal(afterCancel(receiver, view), 'Nothing of it is kept here.');
    view.files = 1;
    assert.equal(afterCancel(receiver, view), 'Only files that are whole are kept here.');
    assert.equal(afterCancel({ ...receiver, keeps: false }, view), 'Nothing of it is kept.');
  });

  it('a signal aborts the library and exits 130, whatever the library says then', async () => {
    const host = fakeHost({
      send(transfer, { signal }) {
        signal!.addEventListener('abort', () => transfer.fail('PROTOCOL', 'broken on the way out'));
        process.emit('SIGTERM');
      },
    });
    assert.equal(await dispatch(['send', 'x'], host), 130);
    assert.match(host.stderr.text, /^beeline: Interrupted\./m);
    assert.equal(process.listenerCount('SIGTERM'), 0);
  });

  it('an interruption says what is kept, and how to go on', async () => {
    const manifest = {
      event: 'manifest',
      kind: 'files',
      files: 1,
      folders: 0,
      links: 0,
      bytes: 9,
      chunkSize: 1 << 20,
    } as const;
    const stream = { ...manifest, bytes: null };
    const moved = { event: 'progress', bytes: 5, total: 9, rate: 1, eta: 4, files: 0, by: {} } as const;
    const resumed = { event: 'resumed', bytes: 5 } as const;
    const again = /send again for a new code to go on\./;
    const key = ['--device', 'laptop'];
    for (const [argv, events, says] of [
      [['send', 'x'], [manifest, moved], again],
      [['send', 'x', '--code', CODE], [manifest, moved], /arrived: send again to go on\./],
      [['send', 'x', ...key], [manifest, moved], /arrived: send again to go on\./],
      [['send', 'x'], [manifest], /Interrupted\. Nothing had moved yet\.$/],
      [['send', '-'], [stream, moved], /it has to be sent anew\./],
      [['receive', CODE], [manifest, resumed], /receive again into the same folder.* with the same code/],
      [['receive', ...key], [manifest, moved], /receive again into the same folder to go on\.$/],
      [['receive', CODE, '--to', '-'], [manifest, moved], /it has to be sent anew\./],
      [['receive', CODE], [stream, moved], /it has to be sent anew\./],
    ] as [string[], TransferEvent[], RegExp][]) {
      const script: Script<SendOptions | ReceiveOptions> = (transfer, { signal }) => {
        signal!.addEventListener('abort', () => transfer.fail('INTERRUPTED', 'x'));
        transfer.emit(...events);
        process.emit('SIGINT');
      };
      const host = fakeHost({ send: script, receive: script });
      assert.equal(await dispatch([...argv, '--quiet', '--yes'], host), 130);
      assert.match(host.stderr.text.trim(), says, argv.join(' '));
    }
  });

  it('a reader of stdout that went away ends it quietly', async () => {
    const host = fakeHost({
      send(transfer, { signal }) {
        signal!.addEventListener('abort', () => transfer.fail('INTERRUPTED', 'x'));
        host.stdout.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
      },
    });
    host.stdout.on('error', () => undefined); // as main.ts does
    assert.equal(await dispatch(['send', 'x', '--json'], host), 1);
    assert.equal(host.stderr.text, '');
  });

  it('an error that is no BeelineError is one sentence, and a stack only for debugging', async () => {
    const host = fakeHost();
    host.send = () => Promise.reject(new TypeError('x is not a function'));
    assert.equal(await dispatch(['send', 'x', '-q'], host), 1);
    assert.equal(host.stderr.text, 'beeline: This should not have happened: x is not a function\n');
    await dispatch(['send', 'x', '-q', '--log-level', 'debug'], host);
    assert.match(host.stderr.text, /caused by TypeError: x is not a function\n {4}at /);
  });
});

describe('cli: receive', () => {
  it('without a terminal refuses, and says that --yes is needed', async () => {
    const host = fakeHost({ receive: accepting });
    assert.equal(await dispatch(['receive', CODE], host), 7);
    assert.match(host.stderr.text, /beeline: .*Run the command again with --yes/);
    const json = fakeHost({ receive: accepting });
    assert.equal(await dispatch(['receive', CODE, '--json'], json), 7);
    assert.deepEqual(JSON.parse(json.stdout.text), { event: 'error', code: 'REFUSED', message: NO_TERMINAL });
  });

  it('with --yes asks nothing', async () => {
    const host = fakeHost({ receive: accepting });
    assert.equal(await dispatch(['receive', CODE, '--yes'], host), 0);
    assert.match(host.stderr.text, /^Received 2 files, 3\.00 MB/m);
  });

  it('a refusal of the other side keeps its own words', async () => {
    const host = fakeHost({ receive: (transfer) => transfer.fail('REFUSED', 'The other side declined.') });
    assert.equal(await dispatch(['receive', CODE, '--yes', '-q'], host), 7);
    assert.equal(host.stderr.text, 'beeline: The other side declined.\n');
  });

  it('says how much is here already, and draws from there', async () => {
    const script = (transfer: FakeTransfer) => {
      transfer.emit(
        {
          event: 'manifest',
          kind: 'files',
          files: 1,
          folders: 0,
          links: 0,
          bytes: 3_400_000_000,
          chunkSize: 1 << 20,
        },
        { event: 'resumed', bytes: 1_200_000_000 },
      );
      transfer.finish({ resumed: 1_200_000_000 });
    };
    const host = fakeHost({ receive: script });
    assert.equal(await dispatch(['receive', CODE, '--yes'], host), 0);
    assert.match(host.stderr.text, /^Going on: 1\.20 GB of 3\.40 GB is here already\.$/m);
    const json = fakeHost({ receive: script });
    await dispatch(['receive', CODE, '--yes', '--json'], json);
    assert.deepEqual(JSON.parse(json.stdout.text.split('\n')[1]!), {
      event: 'resumed',
      bytes: 1_200_000_000,
    });
  });

  it('what exists and was sent as a refresh is refused with the word that would take it', async () => {
    const existing = (update: boolean): Script<ReceiveOptions> => {
      return async (transfer, options) => {
        await answer(options, { ...OFFER, update });
        assert.equal(options.onConflict, undefined);
        transfer.fail('EXISTS', "'a' exists already.");
      };
    };
    const host = fakeHost({ receive: existing(true) });
    assert.equal(await dispatch(['receive', CODE, '--yes', '-q'], host), 1);
    assert.match(host.stderr.text, /^beeline: 'a' exists already\. .*receive with --update to replace/);
    const other = fakeHost({ receive: existing(false) });
    assert.equal(await dispatch(['receive', CODE, '--yes', '-q'], other), 1);
    assert.equal(other.stderr.text, "beeline: 'a' exists already.\n");
  });

  it('lets the library raise EXISTS where nobody can be asked', async () => {
    let seen: ReceiveOptions = { accept: 'all' };
    const host = fakeHost({
      receive(transfer, options) {
        seen = options;
        transfer.finish();
      },
    });
    await dispatch(['receive', CODE, '--to', 'd', '--yes'], host);
    assert.equal(seen.overwrite, 'ask');
    assert.equal(seen.onConflict, undefined);
    assert.equal(await answer(seen, OFFER), true);
    assert.equal(seen.to, 'd');
    assert.equal(seen.code, CODE);
  });

  it('a received text is all that stands on stdout: to a pipe as it is, to a terminal escaped', async () => {
    const script = (transfer: FakeTransfer) => {
      transfer.emit(
        { event: 'manifest', kind: 'text', files: 1, folders: 0, links: 0, bytes: 11, chunkSize: 1 },
        { event: 'text', text: 'one\n\x1b[2Jtwo' },
      );
      transfer.finish({ files: 1, bytes: 11 });
    };
    const pipe = fakeHost({ receive: script });
    await dispatch(['receive', CODE, '--yes'], pipe);
    assert.equal(pipe.stdout.text, 'one\n\x1b[2Jtwo');
    assert.match(pipe.stderr.text, /^Received a text, 11 B in /m);
    const terminal = fakeHost({ receive: script, stdout: new Sink(true) });
    await dispatch(['receive', CODE, '--yes'], terminal);
    assert.equal(terminal.stdout.text, 'one\n\\u{1b}[2Jtwo\n');
  });

  const receivedCode = async (argv: string[], options: Parameters<typeof fakeHost>[0]) => {
    let code: string | undefined;
    const host = fakeHost({
      ...options,
      receive(transfer, given) {
        code = given.code;
        transfer.finish();
      },
    });
    const exit = await dispatch(['receive', '--yes', ...argv], host);
    return { code, exit, said: host.stderr.text + host.stdout.text };
  };

  it('takes the code from an argument, the environment, or the first line of stdin', async () => {
    const env = { BEELINE_CODE: '2-from-environment' };
    const stdin = () => new PassThrough().end('3-from-stdin\nnot this\n');
    assert.equal((await receivedCode([CODE], { env, stdin: stdin() })).code, CODE);
    assert.equal((await receivedCode([], { env, stdin: stdin() })).code, '2-from-environment');
    assert.equal((await receivedCode([], { stdin: stdin() })).code, '3-from-stdin');
    assert.equal(
      (await receivedCode([], { stdin: new PassThrough().end('4-no-newline') })).code,
      '4-no-newline',
    );
  });

  it('does not read further than a line, and not a long one', async () => {
    const endless = new PassThrough();
    endless.write('5-first\n'); // never ended
    assert.equal((await receivedCode([], { stdin: endless })).code, '5-first');
    const long = new PassThrough().end('6-'.padEnd(3000, 'x'));
    const { exit, said } = await receivedCode([], { stdin: long });
    assert.equal(exit, 2);
    assert.match(said, /longer than 2.05 kB/);
  });

  it('a link on stdin or in the environment names the server that --relay only needs', async () => {
    const link = 'https://meet.example/#8-alpha-zoo';
    const relayed = ['--yes', '--relay', 'only'];
    const stdin = new PassThrough().end(link);
    assert.equal((await receivedCode(relayed, { stdin })).code, '8-alpha-zoo');
    const env = { BEELINE_CODE: link };
    assert.equal((await receivedCode(relayed, { env })).code, '8-alpha-zoo');
    const at = await receivedCode([...relayed, '--at', '192.0.2.1:5'], { env });
    assert.match(at.said, /--relay only needs a server that relays: --server URL/);
  });

  it('an empty stdin and a malformed code are usage errors', async () => {
    assert.equal((await receivedCode([], {})).exit, 2);
    assert.equal((await receivedCode(['no code'], {})).exit, 2);
  });

  it('a code that looks mistyped is not tried where nobody can be asked: the error names the word', async () => {
    const { code, exit, said } = await receivedCode(['7-abandn-zoo'], {});
    assert.deepEqual([code, exit], [undefined, 2]);
    assert.match(said, /'abandn' is not a word of a code\. Nothing was tried/);
    assert.doesNotMatch(said, /abandon/);
    assert.match(said, /--as-typed if it is right/);
    const insisted = await receivedCode(['7-abandn-zoo', '--as-typed'], {});
    assert.equal(insisted.code, '7-abandn-zoo');
    const own = await receivedCode(['7-crosover-clockwork'], {});
    assert.equal(own.code, '7-crosover-clockwork', 'near to nothing: words of somebody’s own');
  });

  it('where nobody can be asked, no log gets the words of a code that still works', async () => {
    for (const words of ['velvetcanyon', 'velvet-canyonzoo', 'vel-vet-canyon', 'abandn'])
      for (const argv of [[`7-${words}`], [`7-${words}`, '--json']]) {
        const { code, exit, said } = await receivedCode(argv, {});
        assert.deepEqual([code, exit], [undefined, 2], words);
        for (const secret of ['velvetcanyon', 'velvet', 'canyon', 'vel-vet', 'abandn', 'abandon'])
          assert.ok(!said.includes(secret), `${argv}: ${said}`);
      }
  });

  it('a word in the place of the number tells a server of the secret: nobody is looked for', async () => {
    for (const lacking of [
      ...['abandon-zoo', 'velvt-canyon', 'velvet-canyon-7', 'velvet-my-words'],
      ...['7velvet-canyon', 'velvet-7-canyon', 'meet.example/#velvet-canyon'],
    ]) {
      const { code, exit, said } = await receivedCode([lacking], {});
      assert.deepEqual([code, exit], [undefined, 2], lacking);
      assert.match(said, /The number at the front of the code is missing/);
      assert.doesNotMatch(said, /vel|canyon|abandon/);
    }
    assert.equal((await receivedCode(['velvet-canyon-7', '--as-typed'], {})).code, 'velvet-canyon-7');
    for (const own of ['ours-my-words', 'room7-my-words', 'ab9-my-words'])
      assert.equal((await receivedCode([own], {})).code, own);
    const host = fakeHost({ send: (transfer) => transfer.finish() });
    assert.equal(await dispatch(['send', 'x', '--code', 'abandon-zoo'], host), 2);
    assert.match(host.stderr.text, /Put a number and a dash before that code/);
  });

  it('a sender’s own code is refused if its receiver would take it for a mistyped one', async () => {
    const host = fakeHost({ send: (transfer) => transfer.finish() });
    assert.equal(await dispatch(['send', 'x', '--code', '7-abandn-zoo'], host), 2);
    assert.match(host.stderr.text, /take this one for a mistyped one.*'abandn'.*'abandon'/);
    const sure = fakeHost({
      send: (transfer) => {
        transfer.emit({ event: 'code', code: '7-abandn-zoo' });
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['send', 'x', '--code', '7-abandn-zoo', '--as-typed'], sure), 0);
    assert.match(sure.stderr.text, /beeline receive 7-abandn-zoo --as-typed/);
  });

  it('finds the code in whatever was pasted, and joins one that a shell took apart', async () => {
    for (const argv of [
      ['7-alpha-zoo.'],
      ['7', 'Alpha', 'zoo'],
      ['7.', 'alpha,', 'zoo.'],
      ['beeline', 'receive', '7-alpha-zoo'],
      ['beeline receive 7-alpha-zoo --server https://x.example'],
      ['<https://x.example/#7-alpha-zoo>.'],
    ])
      assert.equal((await receivedCode(argv, {})).code, '7-alpha-zoo', argv.join(' '));
    for (const argv of [
      ['7-alpha-zoo', 'Downloads'],
      ['7', 'alpha', 'zoo', 'Downloads'],
      ['7', 'alpha'],
    ])
      assert.deepEqual(await receivedCode(argv, {}).then(({ code, exit }) => [code, exit]), [undefined, 2]);
  });

  it('meets at the server of a link, unless another place was typed; a page of the sender is none', async () => {
    const link = 'https://meet.example/sub/#7-alpha-zoo';
    for (const [argv, server, said] of [
      [
        [link],
        'https://meet.example/sub/',
        /^Meeting at https:\/\/meet\.example\/sub\/, the server of the link\.$/m,
      ],
      [[`<${link}>.`, '--relay', 'only'], 'https://meet.example/sub/', /^Meeting at/m],
      [['meet.example/#7-alpha-zoo'], 'https://meet.example/', /^Meeting at/m],
      [['http://192.0.2.1:4848/#7-alpha-zoo'], 'http://192.0.2.1:4848/', /^Meeting at/m],
      [[link, '--server', 'wss://other.example'], 'wss://other.example', /^(?!Meeting)/],
      [[link, '--at', '192.0.2.1:5'], undefined, /^(?!Meeting)/],
      [['https://192.0.2.1:4849/#7-alpha-zoo'], undefined, /own page at 192\.0\.2\.1:4849/],
      [['https://[fd00::1]:4849/#7-alpha-zoo'], undefined, /own page at \[fd00::1\]:4849/],
      [['7-alpha-zoo'], 'ws://env.example', /^(?!Meeting)/],
      [
        ['beeline receive 7-alpha-zoo --server https://192.0.2.1:4848'],
        'https://192.0.2.1:4848',
        /^Meeting at https:\/\/192\.0\.2\.1:4848, as the pasted command says\.$/m,
      ],
      [
        ["beeline receive 7-alpha-zoo \u2014server='https://meet.example' --yes"],
        'https://meet.example',
        /^Meeting at/m,
      ],
      [
        ['beeline receive 7-alpha-zoo --server https://meet.example', '--server', 'wss://other.example'],
        'wss://other.example',
        /^(?!Meeting)/,
      ],
      [['beeline receive 7-alpha-zoo --at 192.0.2.1:4913'], undefined, /^Meeting at 192\.0\.2\.1:4913, as/m],
    ] as const) {
      let met: string | undefined;
      const env: Record<string, string> =
        argv[0] === '7-alpha-zoo' ? { BEELINE_SERVER: 'ws://env.example' } : {};
      const host = fakeHost({
        env,
        receive(transfer, given) {
          met = given.server;
          transfer.finish();
        },
      });
      assert.equal(await dispatch(['receive', '--yes', ...argv], host), 0, host.stderr.text);
      assert.equal(met, server, argv.join(' '));
      assert.match(host.stderr.text, said, argv.join(' '));
    }
    const typed = await receivedCode([], { stdin: new PassThrough().end(`${link}\n`) });
    assert.match(typed.said, /^Meeting at https:\/\/meet\.example\/sub\/,/m);
  });

  it('asks for no code where a key stands for it', async () => {
    const { code, exit } = await receivedCode(['--device', 'laptop'], { env: { BEELINE_CODE: CODE } });
    assert.deepEqual([code, exit], [undefined, 0]);
  });
});

describe('cli: receive, several codes', () => {
  const TWO = ['7-alpha-zoo', '8-alpha-zoo'];

  /** What each code comes to: 'done', or the code of an error. */
  const receiveAll = async (argv: string[], outcomes: Record<string, 'done' | ErrorCode>, stderr?: Sink) => {
    const tried: string[] = [];
    const host = fakeHost({
      ...(stderr && { stderr }),
      async receive(transfer, options) {
        tried.push(options.code ?? `device ${options.device}`);
        const outcome = outcomes[tried.at(-1)!] ?? 'done';
        if (outcome !== 'done') return transfer.fail(outcome, `Not ${tried.at(-1)}.`);
        if (!(await answer(options, OFFER))) return transfer.fail('REFUSED', 'Declined.');
        transfer.emit({ event: 'resumed', bytes: 1 });
        transfer.finish();
      },
    });
    const exit = await dispatch(['receive', ...argv], host);
    const lines = argv.includes('--json') ? host.stdout.text.trim().split('\n') : [];
    return { exit, tried, said: host.stderr.text, events: lines.map((line) => JSON.parse(line)) };
  };

  it('receives one after the other; one that fails does not keep the next from coming', async () => {
    const three = [...TWO, 'https://meet.example/#9-alpha-zoo'];
    const { exit, tried, said } = await receiveAll(['--yes', ...three], { '8-alpha-zoo': 'WRONG_CODE' });
    assert.deepEqual(tried, ['7-alpha-zoo', '8-alpha-zoo', '9-alpha-zoo']);
    assert.equal(exit, 4, 'that of the one that failed');
    const order = [
      /^Offer 1 of 3$/m,
      /^Received /m,
      /^Offer 2 of 3$/m,
      /^beeline: offer 2 of 3: Not 8-alpha-zoo/m,
      /^Offer 3 of 3$/m,
      /^Meeting at https:\/\/meet\.example\//m,
      /^2 of 3 offers received\.$/m,
    ].map((pattern) => said.search(pattern));
    assert.ok(!order.includes(-1), said);
    assert.deepEqual(
      order,
      order.toSorted((a, b) => a - b),
      said,
    );
  });

  it('ends with 0 if all have come, else with the code of the first that failed', async () => {
    assert.equal((await receiveAll(['--yes', ...TWO], {})).exit, 0);
    const both = await receiveAll(['--yes', ...TWO], {
      '7-alpha-zoo': 'NO_PEER',
      '8-alpha-zoo': 'WRONG_CODE',
    });
    assert.deepEqual([both.exit, both.tried.length], [6, 2]);
  });

  it('--json says of each line which offer it is about', async () => {
    const { exit, events } = await receiveAll(['--yes', '--json', ...TWO], { '7-alpha-zoo': 'WRONG_CODE' });
    assert.equal(exit, 4);
    assert.deepEqual(
      events.map(({ event, arrival }) => [arrival, event]),
      [
        [1, 'error'],
        [2, 'offer'],
        [2, 'resumed'],
        [2, 'done'],
      ],
    );
    const { events: one } = await receiveAll(['--yes', '--json', '7-alpha-zoo'], {});
    assert.ok(one.length > 0 && one.every((line) => !('arrival' in line)), 'one alone has no number');
  });

  it('looks at all codes before the first is tried', async () => {
    const mistyped = await receiveAll(['--yes', '7-alpha-zoo', '8-abandn-zoo'], {});
    assert.deepEqual([mistyped.exit, mistyped.tried], [2, []]);
    assert.match(mistyped.said, /'abandn' is not a word of a code/);
    const twice = await receiveAll(['--yes', '7-alpha-zoo', '7-Alpha-zoo.'], {});
    assert.deepEqual([twice.exit, twice.tried], [2, []]);
    assert.match(twice.said, /named twice/);
    const nobody = await receiveAll(TWO, {});
    assert.deepEqual([nobody.exit, nobody.tried], [7, []], 'nobody can be asked');
  });

  it('--proxy and --relay only need a server of each offer, and say which has none', async () => {
    const [plain, link] = ['7-alpha-zoo', 'https://meet.example/#8-alpha-zoo'];
    const relayed = ['--yes', '--relay', 'only'];
    for (const flags of [relayed, ['--yes', '--proxy', 'socks5://127.0.0.1:9']])
      for (const [argv, whose] of [
        [[plain, link], /offer 1 \(7-…\) names none/],
        [[link, plain], /offer 2 \(7-…\) names none/],
        [[link, 'https://192.0.2.1:4849/#9-alpha-zoo'], /offer 2 \(9-…\) names none/],
      ] as const) {
        const { exit, tried, said } = await receiveAll([...flags, ...argv], {});
        assert.deepEqual([exit, tried], [2, []], said);
        assert.match(said, whose);
        assert.doesNotMatch(said, /7-alpha/);
      }
    const links = [link, 'https://meet.example/#9-alpha-zoo'];
    assert.deepEqual((await receiveAll([...relayed, ...links], {})).exit, 0);
    const server = ['--server', 'https://meet.example'];
    assert.deepEqual((await receiveAll([...relayed, plain, link, ...server], {})).exit, 0);
    const page = await receiveAll([...relayed, 'https://192.0.2.1:4849/#9-alpha-zoo'], {});
    assert.deepEqual([page.exit, page.tried], [2, []]);
  });

  it('takes several devices', async () => {
    const { exit, tried } = await receiveAll(['--yes', '--device', 'a', '--device', 'b'], {});
    assert.deepEqual([exit, tried], [0, ['device a', 'device b']]);
  });

  it('once interrupted begins no further one, and ends with 130', async () => {
    const tried: string[] = [];
    const host = fakeHost({
      receive(transfer, options) {
        tried.push(options.code!);
        options.signal!.addEventListener('abort', () => transfer.fail('CANCELLED', 'Stopped.'));
        process.emit('SIGTERM');
      },
    });
    assert.equal(await dispatch(['receive', '--yes', ...TWO], host), 130);
    assert.deepEqual(tried, ['7-alpha-zoo']);
  });

  it('what has come is not given to others while the next one waits; the last one is', async () => {
    const signals: AbortSignal[] = [];
    const host = fakeHost({
      receive(transfer, options) {
        const signal = options.signal!;
        signals.push(signal);
        // As a receiver that others fetch from: it ends when it is told to.
        const closed = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
        if (signals.length < 3) Object.assign(transfer, { closed });
        transfer.finish();
      },
    });
    assert.equal(await dispatch(['receive', '--yes', ...TWO, '9-alpha-zoo'], host), 0);
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [true, true, false],
    );
  });
});
