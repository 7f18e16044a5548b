/** Help, log, metrics, trust and server. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { BeelineError } from '../../src/base/errors.ts';
import { parse } from '../../src/cli/args.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { COMMANDS, type Command, FLAGS, type Flag, TOPICS } from '../../src/cli/flags.ts';
import { commandHelp, topicHelp } from '../../src/cli/help.ts';
import { openLog } from '../../src/cli/log.ts';
import { serveCommandMetrics, transferMetrics } from '../../src/cli/metrics.ts';
import { downloadArgs, type Env, receiveArgs, sendArgs, serverArgs } from '../../src/cli/options.ts';
import { Tracker } from '../../src/cli/tracker.ts';
import type { InboxRules } from '../../src/identity/devices.ts';
import type { RunningServer, ServerOptions } from '../../src/server/index.ts';
import { NO_RELAY } from '../../src/server/relay.ts';
import { fakeHost } from './fakes.ts';

const folder = mkdtempSync(join(tmpdir(), 'beeline-cli-'));
after(() => rmSync(folder, { recursive: true }));

/** Lines of a usual terminal window. */
const SCREEN = 45;

/** What stands below 'Examples:'. */
const examplesIn = (text: string): string[] =>
  text.split('Examples:\n')[1]!.split('\n\n')[0]!.trimEnd().split('\n');

/** Reads an example as the command would. */
function check(example: string): void {
  const [, command = '', rest = ''] = /beeline (\w+) ?(.*)$/.exec(example.replace(/ [<>].*$/, ''))!;
  const words = [...rest.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2]!);
  const read = { send: sendArgs, server: serverArgs }[command];
  const receive = (argv: string[], env: Env) => downloadArgs(argv, env) ?? receiveArgs(argv, env);
  const parsed =
    read ?? (command === 'receive' ? receive : (argv: string[]) => parse(command as Command, argv));
  const env = example.includes('BEELINE_CODE=') ? { BEELINE_CODE: '7-a' } : {};
  assert.doesNotThrow(() => parsed(words, env), example);
}

describe('cli: help', () => {
  for (const command of COMMANDS)
    it(`of ${command} names every flag, ends with examples, and fits a screen`, async () => {
      const host = fakeHost();
      assert.equal(await dispatch([command, '--help'], host), 0);
      const { text } = host.stdout;
      assert.equal(text, commandHelp(command));
      for (const [name, { topic }] of Object.entries<Flag>(FLAGS[command])) {
        assert.match(text, new RegExp(`--${name}\\b`));
        if (topic)
          assert.ok(text.includes(`beeline help ${topic}`) && topicHelp(topic).includes(`--${name}`));
      }
      assert.ok(text.endsWith(`${examplesIn(text).join('\n')}\n`));
      for (const example of examplesIn(text)) check(example);
      const lines = text.split('\n');
      assert.ok(lines.length <= SCREEN, `${lines.length} lines`);
      for (const line of lines) assert.ok(line.length <= 80, line);
    });

  for (const topic of TOPICS)
    it(`about ${topic} fits 80 columns and has only examples that parse`, async () => {
      const host = fakeHost();
      assert.equal(await dispatch(['help', topic], host), 0);
      assert.equal(host.stdout.text, topicHelp(topic));
      for (const line of host.stdout.text.split('\n')) assert.ok(line.length <= 80, line);
      if (host.stdout.text.includes('Examples:'))
        for (const example of examplesIn(host.stdout.text)) check(example);
    });

  it('is three things without a command, and all commands and topics when asked', async () => {
    const host = fakeHost();
    assert.equal(await dispatch([], host), 2);
    assert.equal(host.stdout.text, '');
    const shown = [...host.stderr.text.matchAll(/beeline (\w+) (.*)$/gm)];
    assert.deepEqual(
      shown.map(([, command]) => command),
      ['send', 'receive', 'send'],
    );
    for (const [example] of shown) check(example);
    assert.equal(await dispatch(['help'], host), 0);
    for (const name of [...COMMANDS, ...TOPICS])
      assert.match(host.stdout.text, new RegExp(`^ {2}${name} `, 'm'));
  });

  it('tells the version in each way that people try', async () => {
    for (const argv of [['--version'], ['-V'], ['version'], ['send', '-V'], ['send', 'x', '--version']]) {
      const host = fakeHost();
      assert.equal(await dispatch(argv, host), 0);
      assert.match(host.stdout.text, /^\d+\.\d+\.\d+\n$/);
    }
  });

  it('names the nearest right command, topic and flag, and what was meant with a code or a path', async () => {
    const said = async (...argv: string[]) => {
      const host = fakeHost();
      assert.equal(await dispatch(argv, host), 2, argv.join(' '));
      assert.equal(host.stdout.text, '');
      return host.stderr.text;
    };
    assert.match(await said('recieve'), /Did you mean beeline receive\?/);
    assert.match(await said('help', 'netwrok'), /Did you mean beeline help network\?/);
    assert.match(await said('send', 'x', '--recievers', '2'), /Did you mean --receivers\?/);
    assert.match(await said('send', 'x', '-exclude', 'y'), /no -exclude\. Did you mean --exclude\?/);
    assert.match(await said('--verison'), /Did you mean beeline --version\?/);
    assert.match(await said('https://example.org/f'), /To fetch it: beeline receive URL/);
    assert.match(await said('receive', 'ftp://example.org/f'), /ftp:\/\/ cannot be fetched/);
    assert.match(
      await said('outbox', 'send', '--no-lan'),
      /no --no-lan here: it is a flag of send, receive, listen\./,
    );
    assert.doesNotMatch(await said('send', 'x', '--constructor'), /flag of/);
    assert.match(await said('--qr', 'x'), /Flags come after a command/);
    assert.match(await said('7-velvet-canyon'), /beeline receive CODE$/m);
    const path = join(folder, "it's here");
    writeFileSync(path, '');
    assert.match(await said(path), /To send it: beeline send '.*it'\\''s here'$/m);
    // A name that steers a terminal is no hint worth more.
    assert.doesNotMatch(await said('\x1b[2J\u202e'), /\x1b|\u202e/);
  });
});

describe('cli: log', () => {
  it('blanks secrets by name and by value, and keeps error codes', async () => {
    let text = '';
    const log = (await openLog({ json: false, quiet: false, logLevel: 'debug' }, (line) => {
      text += line;
    }))!;
    log.hide('7-cross"over');
    log.hide('cross"over');
    log.logger.info({ psk: 'PSK', sessionKey: 'KEY', nested: { password: 'PASS', privateKey: 'PRIV' } }, 'a');
    log.logger.warn({ code: 'clock-work', error: 'at 7-cross"over' }, 'the words cross"over');
    const cause = new BeelineError('NO_PEER', 'about 7-cross"over', { cause: new Error('cross"over') });
    log.logger.error({ code: 'NO_PEER', err: cause, bytes: new Uint8Array(9) }, 'x');
    assert.doesNotMatch(text, /PSK|KEY|PASS|PRIV|clock-work|over/);
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      lines.map(({ level }) => level),
      ['info', 'warn', 'error'],
    );
    assert.equal(lines[2].code, 'NO_PEER');
    assert.equal(lines[2].bytes, '9 bytes');
  });

  it('goes to a file that only its owner can read, even if others could before', async () => {
    const path = join(folder, 'log');
    writeFileSync(path, '', { mode: 0o644 });
    const log = (await openLog({ json: false, quiet: false, logFile: path }, assert.fail))!;
    log.logger.info({}, 'hello');
    log.logger.debug({}, 'below the default level');
    log.close();
    assert.equal(JSON.parse(readFileSync(path, 'utf8')).msg, 'hello');
    if (process.platform !== 'win32') assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it('is not even loaded when nobody wants it', async () => {
    assert.equal(await openLog({ json: true, quiet: true }, assert.fail), undefined);
  });

  it('says when the file cannot be opened', async () => {
    const face = { json: false, quiet: false, logFile: join(folder, 'no', 'such') };
    await assert.rejects(openLog(face, assert.fail), { code: 'WRITE_FAILED', message: /log file/ });
  });
});

describe('cli: metrics', () => {
  const view = new Tracker();
  view.apply({ event: 'state', from: 'idle', to: 'transferring' });
  view.apply({ event: 'resumed', bytes: 3 });
  view.apply({ event: 'progress', bytes: 5, total: 10, rate: 2, eta: 2, files: 1, by: {} });
  view.apply({ event: 'lane', id: 1, kind: 'tcp"\n\\', local: '', remote: '', status: 'open' });

  it('are in the Prometheus text format', async () => {
    const text = await transferMetrics(view);
    assert.match(text, /^beeline_bytes 5$/m);
    assert.match(text, /^beeline_bytes_resumed 3$/m);
    assert.match(text, /^beeline_bytes_expected 10$/m);
    assert.match(text, /^beeline_rate_bytes_per_second 2$/m);
    assert.match(text, /^beeline_lanes_open\{kind="tcp\\"\\n\\\\"\} 1$/m);
    assert.match(text, /^beeline_state\{state="transferring"\} 1$/m);
    assert.match(text, /^beeline_state\{state="paused"\} 0$/m);
    assert.match(text, /\n$/);
    for (const line of text.split('\n').filter(Boolean))
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{\w+=".*"\})? \d+)$/);
  });

  it('are served on the loopback, and a taken port is a clear error', async () => {
    const served = await serveCommandMetrics(0, () => transferMetrics(view));
    assert.match(served.url, /^http:\/\/127\.0\.0\.1:\d+\/metrics$/);
    const answer = await fetch(served.url, { headers: { connection: 'close' } });
    assert.match(answer.headers.get('content-type')!, /^text\/plain; version=0\.0\.4/);
    assert.equal(await answer.text(), await transferMetrics(view));
    const port = Number(new URL(served.url).port);
    assert.equal(
      (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } })).status,
      404,
    );
    await assert.rejects(
      serveCommandMetrics(port, async () => ''),
      { code: 'USAGE', message: /--metrics-port/ },
    );
    served.close();
  });
});

describe('cli: trust', () => {
  const devices = [{ name: 'lap\u202etop', key: 'bl1aaa' }];
  const host = () => ({
    ...fakeHost(),
    devices: async () => ({
      own: { publicKey: 'bl1own' },
      list: () => devices,
      find: (name: string) => devices.find((device) => device.name === name),
      add: async (name: string, key: string) => ({ name, key }),
      remove: async (name: string) => ({ name, key: 'bl1aaa' }),
      setInbox: async (name: string, inbox?: InboxRules) => ({
        name,
        key: 'bl1aaa',
        ...(inbox && { inbox }),
      }),
    }),
  });

  it('sets the rules for what a device sends, all at once', async () => {
    const plain = host();
    const set = ['trust', 'set', 'laptop', '--to', 'x', '--max-size', '10G', '--overwrite', 'skip'];
    assert.equal(await dispatch(set, plain), 0);
    assert.match(
      plain.stdout.text,
      /^laptop: offers are taken without a question, into \/.*\/x, at most 10\.0 GB at once, existing files: skip\n$/,
    );
    const dated = host();
    const template = ['trust', 'set', 'laptop', '--to=~/in/{{x}}/{date}', '--json'];
    assert.equal(await dispatch(template, dated), 0);
    const { to, within } = JSON.parse(dated.stdout.text).inbox;
    assert.deepEqual([to, within], [`${homedir()}/in/{x}`, '{date}']);
    const unknown = host();
    assert.equal(await dispatch(['trust', 'set', 'laptop', '--to', 'in/{who}'], unknown), 2);
    assert.match(unknown.stderr.text, /there is no \{who\}/);
    const json = host();
    assert.equal(await dispatch(['trust', 'set', 'laptop', '--quota', '5k', '--ask', '--json'], json), 0);
    const { inbox } = JSON.parse(json.stdout.text);
    assert.ok(Math.abs(inbox.quota.since - Date.now()) < 60_000);
    assert.deepEqual(inbox, { quota: { bytes: 5000, since: inbox.quota.since }, ask: true });
    const none = host();
    assert.equal(await dispatch(['trust', 'set', 'laptop', '--json'], none), 0);
    assert.equal('inbox' in JSON.parse(none.stdout.text), false);
    const wrong = host();
    assert.equal(await dispatch(['trust', 'list', '--refuse'], wrong), 2);
    assert.match(wrong.stderr.text, /--refuse is for `beeline trust set NAME`/);
    assert.equal(await dispatch(['trust', 'set', 'laptop', '--overwrite', 'ask'], host()), 2);
  });

  it('lists, adds and removes, on stdout and as JSON', async () => {
    const plain = host();
    assert.equal(await dispatch(['trust'], plain), 0);
    assert.equal(plain.stdout.text, 'This device: bl1own\nbl1aaa  lap\\u{202e}top\n');
    const json = host();
    assert.equal(await dispatch(['trust', 'list', '--json'], json), 0);
    assert.equal(await dispatch(['trust', 'add', 'x', 'bl1x', '--json'], json), 0);
    assert.equal(await dispatch(['trust', 'remove', 'x', '--json'], json), 0);
    assert.deepEqual(
      json.stdout.text
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line)),
      [
        { event: 'own', key: 'bl1own' },
        { event: 'device', name: 'lap\u202etop', key: 'bl1aaa' },
        { event: 'added', name: 'x', key: 'bl1x' },
        { event: 'removed', name: 'x', key: 'bl1aaa' },
      ],
    );
  });

  it('refuses what it cannot do', async () => {
    for (const argv of [['ad', 'x', 'y'], ['add', 'x'], ['remove'], ['list', 'x']]) {
      assert.equal(await dispatch(['trust', ...argv], host()), 2, argv.join(' '));
    }
  });
});

/** What a server that was started tells, with nobody there. */
const RUNNING: RunningServer = {
  ...{ url: 'http://localhost:4848', port: 4848, stunPorts: [], metricsUrl: undefined },
  counts: () => ({ ...NO_RELAY, mailboxes: 0, connections: 0, near: 0 }),
  drain: async () => undefined,
  reload: async () => undefined,
  close: async () => undefined,
};

describe('cli: server', () => {
  it('says where it listens, and ends with 0 when it is told to', async () => {
    let closed = 0;
    let given: unknown;
    const host = {
      ...fakeHost(),
      server: async () => ({
        checkServer: async () => undefined,
        async startServer(options: object) {
          given = options;
          setImmediate(() => process.emit('SIGTERM'));
          return { ...RUNNING, close: async () => void closed++ };
        },
      }),
    };
    assert.equal(await dispatch(['server', '--json', '--host', '::1'], host), 0);
    assert.deepEqual(JSON.parse(host.stdout.text), {
      event: 'listening',
      url: 'http://localhost:4848',
      port: 4848,
      relay: true,
      stun: [],
    });
    assert.equal(closed, 1);
    const standard = {
      port: 4848,
      trustProxy: false,
      log: undefined,
      tls: undefined,
      allowOrigins: undefined,
      near: 'auto',
    };
    const services = {
      ...{ relay: true, stun: true, stunPort: undefined, turn: undefined, limits: {} },
      ...{ metrics: undefined, status: false },
      ...{ redis: undefined, publicUrl: undefined },
    };
    const told = () => {
      const { warn, ...rest } = given as { warn: unknown };
      assert.equal(typeof warn, 'function');
      return rest;
    };
    assert.deepEqual(told(), { ...standard, ...services, host: '::1' });

    const secret = join(folder, 'turn-secret');
    writeFileSync(secret, 'hush\n');
    const turn = ['--turn-url', 'turn:a', '--turn-url', 'turn:b', '--turn-secret-file', secret];
    const limits = ['--relay-limit', '20G', '--relay-rate', '10MiB'];
    assert.equal(await dispatch(['server', '--stun-port', '7', ...limits, ...turn], host), 0);
    assert.deepEqual(told(), {
      ...standard,
      ...services,
      host: undefined,
      stunPort: 7,
      turn: { urls: ['turn:a', 'turn:b'], secret: 'hush' },
      limits: { relayMailboxBytes: 20e9, relayRate: 10 * 2 ** 20 },
    });
    writeFileSync(secret, 'redis://:hush@h\n');
    const several = ['--redis-url-file', secret, '--public-url', 'https://a.example'];
    assert.equal(await dispatch(['server', ...several], host), 0);
    const shared = { redis: 'redis://:hush@h', publicUrl: 'https://a.example' };
    assert.deepEqual(told(), { ...standard, ...services, host: undefined, ...shared });
    writeFileSync(secret, 'two\nlines\n');
    assert.equal(await dispatch(['server', ...turn], host), 2);
    assert.equal(await dispatch(['server', ...several], host), 2);
    rmSync(secret);
    assert.notEqual(await dispatch(['server', ...turn], host), 0);
  });

  it('reads its certificate again on SIGHUP, and ends on it without one', async () => {
    const did: string[] = [];
    const signals: NodeJS.Signals[] = [];
    const host = {
      ...fakeHost(),
      server: async () => ({
        checkServer: async () => undefined,
        async startServer(options: object) {
          const { tls, warn } = options as Pick<ServerOptions, 'tls' | 'warn'>;
          did.push(JSON.stringify(tls));
          warn?.('The certificate ended.');
          setImmediate(() => {
            for (const signal of signals) process.emit(signal);
          });
          return {
            ...RUNNING,
            reload: async () => void did.push('reload'),
            close: async () => void did.push('close'),
          };
        },
      }),
    };
    const before = process.listenerCount('SIGHUP');
    signals.push('SIGHUP', 'SIGHUP', 'SIGTERM');
    assert.equal(await dispatch(['server', '--tls-cert', 'c', '--tls-key', 'k'], host), 0);
    assert.deepEqual(did.splice(0), ['{"cert":"c","key":"k"}', 'reload', 'reload', 'close']);
    assert.match(host.stderr.text, /The certificate ended\.\n/);
    signals.splice(0, 3, 'SIGHUP');
    assert.equal(await dispatch(['server'], host), 0);
    assert.deepEqual(did, [undefined, 'close']);
    assert.equal(process.listenerCount('SIGHUP'), before);
  });
});
