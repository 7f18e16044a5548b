/** Arguments and environment to options: what is accepted, what is refused, and what the refusal says. */
import assert from 'node:assert/strict';
import { homedir } from 'node:os';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { nearest } from '../../src/base/suggestion.ts';
import { parse } from '../../src/cli/args.ts';
import { COMMANDS } from '../../src/cli/flags.ts';
import {
  destinationOf,
  downloadArgs,
  listenArgs,
  receiveArgs,
  sendArgs,
  serverArgs,
} from '../../src/cli/options.ts';

const send = (...argv: string[]) => sendArgs(argv, {});
const receive = (...argv: string[]) => receiveArgs(argv, {});
const URL_A = 'https://example.org/a.iso';
const URL_B = 'http://example.org/b.iso';
const fetching = (...argv: string[]) => downloadArgs(argv, {});

const refusals: [name: string, call: () => unknown, says: RegExp][] = [
  ['an unknown flag, with the near miss', () => send('x', '--limt', '3'), /--limt.*Did you mean --limit\?/],
  ['a flag of the other command', () => receive('--text', 'x'), /There is no --text/],
  ['an unknown flag that is like nothing', () => send('x', '--zzzzzzzz'), /There is no --zzzzzzzz\. `/],
  ['a forgotten value', () => receive('--to', '--yes'), /--to needs a value.*--to=--yes/],
  ['a value at the very end', () => receive('--to'), /--to needs a value/],
  ['an empty value', () => receive('--to='), /--to needs a value/],
  ['a value for a switch', () => send('x', '--json=yes'), /--json takes no value/],
  ['nothing to send', () => send(), /What shall be sent/],
  ['paths and a text', () => send('x', '--text', 'y'), /either paths or --text/],
  ['stdin and a path', () => send('x', '-'), /goes alone/],
  ['a name without stdin', () => send('x', '--name', 'y'), /--name is for/],
  ['an empty path', () => send(''), /empty/],
  ['a long text', () => send('--text', 'x'.repeat((1 << 20) + 1)), /at most 1.05 MB/],
  ['an archive of stdin', () => send('-', '--zip'), /--zip is for files and folders/],
  ['an archive with links', () => send('x', '--zip', '--links', 'keep'), /--zip leaves links out/],
  [
    'an archive for any number',
    () => send('x', '--zip', '--receivers', 'any'),
    /--zip needs to know how many/,
  ],
  ['an archive for later', () => send('x', '--zip', '--later', '--device', 'd'), /--zip and --later exclude/],
  ['an archive and a link', () => send('x', '--zip', '--http'), /--zip and --http exclude/],
  ['two of which one may be a folder', () => receive('7-a-b', '8-b'), /Give a code, or several/],
  ['several to stdout', () => receive('7-a-b', '8-b-c', '--to', '-'), /--to - takes one offer/],
  [
    'one receipt for several',
    () => receive('7-a-b', '8-b-c', '--receipt', 'r'),
    /--receipt is for one offer, and there are 2/,
  ],
  ['one name for several', () => receive('7-a-b', '8-b-c', '--trust', 'n'), /--trust is for one offer/],
  ['a code twice', () => receive('7-a', '--code', '7-a'), /twice/],
  ['an empty code', () => receive(''), /empty/],
  ['code and device', () => receive('7-a', '--device', 'laptop'), /Choose one of a code and --device/],
  ['psk and device', () => send('x', '--psk-file', 'k', '--device', 'l'), /--psk-file and --device/],
  ['server and at', () => send('x', '--server', 'ws://h', '--at', 'h:1'), /two places/],
  ['lanes in words', () => send('x', '--lanes', 'many'), /--lanes many: .* from 1 to 64/],
  ['no lanes', () => send('x', '--lanes', '0'), /from 1 to 64/],
  ['65 lanes', () => send('x', '--lanes', '65'), /from 1 to 64/],
  ['a wait in words', () => send('x', '--wait', 'long'), /--wait long: .*such as 90s, 10m or 2h/],
  ['a wait of a month', () => receive('7-a', '--wait', '31d'), /at most 23d 03h/],
  ['a port too high', () => send('x', '--port', '65536'), /from 0 to 65535/],
  ['a port in hex', () => send('x', '--port', '0x10'), /whole number/],
  ['a URL without scheme', () => send('x', '--server', 'example.org'), /must be a URL/],
  ['a URL of another scheme', () => send('x', '--server', 'file:///etc'), /must be a URL/],
  ['at without port', () => receive('7-a', '--at', 'host'), /HOST:PORT/],
  ['at with bare IPv6', () => receive('7-a', '--at', 'fe80::1:80'), /HOST:PORT/],
  ['dialling port 0', () => receive('7-a', '--at', 'host:0'), /HOST:PORT/],
  ['a policy', () => receive('7-a', '--overwrite', 'replce'), /one of ask, .*Did you mean replace\?/],
  ['two policies', () => receive('7-a', '--update', '--overwrite', 'skip'), /--update and --overwrite skip/],
  ['a receipt and none', () => send('x', '--receipt', 'r', '--no-receipt'), /contradict each other/],
  ['a log level', () => send('x', '--log-level', 'loud'), /one of trace/],
  ['both on stdout', () => receive('7-a', '--to', '-', '--json'), /both want stdout/],
  ['server arguments', () => serverArgs(['x']), /flags only/],
  ['a certificate without its key', () => serverArgs(['--tls-cert', 'c']), /needs both/],
  ['a key without its certificate', () => serverArgs(['--tls-key', 'k']), /needs both/],
  ['the page from here and from a server', () => send('x', '--web', '--server', 'ws://h'), /one of its own/],
  ['the page and a device', () => send('x', '--web', '--device', 'laptop'), /need a code/],
  ['the page and a key', () => send('x', '--web', '--psk-file', 'f'), /need a code/],
  ['a limit without a relay', () => serverArgs(['--no-relay', '--relay-rate', '1M']), /contradict/],
  ['a second port without STUN', () => serverArgs(['--no-stun', '--stun-port', '1']), /contradict/],
  ['TURN without a secret', () => serverArgs(['--turn-url', 'turn:a']), /needs --turn-secret-file/],
  ['a TURN secret for nobody', () => serverArgs(['--turn-secret', 'x']), /needs --turn-url/],
  ['two TURN secrets', () => serverArgs(['--turn-secret', 'x', '--turn-secret-file', 'y']), /choose one/],
  ['receivers in words', () => send('x', '--receivers', 'all'), /--receivers all: .*1 to 64, or any/],
  ['no receivers', () => send('x', '--receivers', '0'), /from 1 to 64, or any/],
  ['65 receivers', () => send('x', '--receivers', '65'), /from 1 to 64, or any/],
  ['any number for stdin', () => send('-', '--receivers', 'any'), /--receivers N/],
  ['receivers beside devices', () => send('x', '--device', 'a', '--receivers', '2'), /repeat --device/],
  ['an end in words', () => send('x', '--until', 'noon'), /--until noon: .*such as 90s/],
  ['receivers of a receiver', () => receive('7-a', '--receivers', '2'), /There is no --receivers/],
  ['sharing of a sender', () => send('x', '--no-share'), /There is no --no-share/],
  ['two devices of a receiver', () => receive('--device', 'a', '7-b'), /Choose one of a code and --device/],
  ['a mirror of a code', () => fetching('7-a', '--mirror', URL_A), /--mirror is for a URL/],
  ['what a code is to be', () => fetching('7-a', '--expect', 'ab'), /--expect is for a URL/],
  ['a name for a code', () => fetching('7-a', '--name', 'x'), /--name is for a URL/],
  ['private networks for a code', () => fetching('7-a', '--allow-private'), /--allow-private is for a URL/],
  ['a URL and a code', () => fetching(URL_A, '7-a'), /either a code or URLs/],
  [
    'a URL of another scheme beside one',
    () => fetching(URL_A, 'ftp://example.org/c'),
    /either a code or URLs/,
  ],
  ['a server for a URL', () => fetching(URL_A, '--server', 'wss://h'), /--server is for a code/],
  ['links of a URL', () => fetching(URL_A, '--links', 'all'), /--links is for a code/],
  ['a URL to stdout with events', () => fetching(URL_A, '--to', '-', '--json'), /both want stdout/],
  ['two URLs to stdout', () => fetching(URL_A, URL_B, '--to', '-'), /takes one URL/],
  ['a mirror of two URLs', () => fetching(URL_A, URL_B, '--mirror', URL_B), /--mirror goes with one URL/],
  ['a name for two URLs', () => fetching(URL_A, URL_B, '--name', 'x'), /--name goes with one URL/],
  ['one digest for two URLs', () => fetching(URL_A, URL_B, '--expect', 'ab'), /--expect once for each URL/],
  [
    'two digests for one URL',
    () => fetching(URL_A, '--expect', 'a', '--expect', 'b'),
    /--expect once for each/,
  ],
  [
    'two policies for a URL',
    () => fetching(URL_A, '--update', '--overwrite', 'skip'),
    /contradict each other/,
  ],
  ['a receipt and none of a URL', () => fetching(URL_A, '--receipt', 'r', '--no-receipt'), /contradict/],
  ['a bad BEELINE_SERVER', () => sendArgs(['x'], { BEELINE_SERVER: 'nonsense' }), /BEELINE_SERVER/],
];

describe('cli: arguments', () => {
  for (const [name, call, says] of refusals)
    it(`refuses ${name}`, () => {
      assert.throws(call, (error) => {
        assert.ok(error instanceof BeelineError);
        assert.equal(error.code, 'USAGE');
        assert.match(error.message, says);
        return true;
      });
    });

  it('escapes hostile arguments in its answer', () => {
    assert.throws(
      () => send('x', '--\x1b[2J'),
      (error: Error) => !error.message.includes('\x1b'),
    );
  });

  it('turns every common flag into its option', () => {
    const { options, face, metricsPort, pskFile } = send(
      ...[
        'x',
        '--at',
        '[fd00::7]:4848',
        '--port',
        '5000',
        '--lanes',
        '8',
        '--threads',
        '3',
        '--no-lan',
        '--dht-bootstrap',
        '192.0.2.1:1',
        '--dht-bootstrap',
        'dht.example:49737',
        '--code',
        '7-a-b',
      ],
      ...['--limit', '10M', '--sha256', '--json', '-q', '--log-level', 'debug', '--log-file', 'log'],
      ...[
        '--metrics-port',
        '0',
        '--config-dir',
        'conf',
        '--wait',
        '10m',
        '--relay',
        'never',
        '--no-port-map',
        '--quic',
      ],
    );
    const { onUnreadable, links, stdinName, update, web, receivers, until, swarm, ...more } = options;
    const { exclude, include, gitignore, ...common } = more;
    assert.deepEqual([exclude, include, gitignore], [undefined, undefined, false]);
    assert.deepEqual(
      [onUnreadable, links, stdinName, update, web, receivers, until, swarm],
      ['fail', undefined, undefined, false, false, undefined, undefined, true],
    );
    assert.deepEqual(common, {
      server: undefined,
      at: '[fd00::7]:4848',
      code: '7-a-b',
      device: undefined,
      trust: undefined,
      dht: { bootstrap: ['192.0.2.1:1', 'dht.example:49737'] },
      configDir: 'conf',
      port: 5000,
      lanes: 8,
      threads: 3,
      http: false,
      lan: false,
      limit: 10_000_000,
      wait: 600,
      relay: 'never',
      portMap: false,
      quic: true,
      sha256: true,
      receipt: true,
    });
    assert.deepEqual(face, { json: true, quiet: true, logLevel: 'debug', logFile: 'log' });
    assert.equal(metricsPort, 0);
    assert.equal(pskFile, undefined);
  });

  it('with a proxy refuses what would go past it', () => {
    const proxy = ['--proxy', 'socks5://127.0.0.1:1080'];
    const server = ['--server', 'wss://h'];
    assert.equal(send('x', ...proxy, ...server).proxy, 'socks5://127.0.0.1:1080');
    assert.equal(receive('7-a', ...proxy, ...server).proxy, 'socks5://127.0.0.1:1080');
    assert.throws(() => send('x', ...proxy), /needs a server that relays/);
    assert.throws(() => send('x', ...proxy, ...server, '--relay', 'never'), /needs the relay/);
    for (const past of ['--http', '--quic'])
      assert.throws(() => send('x', ...proxy, ...server, past), /would go past --proxy/);
    // It may hold a password.
    assert.throws(
      () => send('x', '--proxy', 'ftp://me:hunter2@h', ...server),
      (error: Error) => !error.message.includes('hunter2'),
    );
  });

  it('takes the DHT from the flags, else from the environment, else as it is', () => {
    const dht = (env: Record<string, string>, ...flags: string[]) =>
      sendArgs(['x', ...flags], env).options.dht;
    assert.equal(dht({}), true);
    assert.equal(dht({}, '--no-dht'), false);
    assert.equal(dht({ BEELINE_DHT: 'off' }), false);
    assert.equal(dht({ BEELINE_DHT: '' }), true);
    assert.deepEqual(dht({ BEELINE_DHT: '192.0.2.1:1, 192.0.2.2:2' }), {
      bootstrap: ['192.0.2.1:1', '192.0.2.2:2'],
    });
    assert.deepEqual(dht({ BEELINE_DHT: 'off' }, '--dht-bootstrap', '192.0.2.3:3'), {
      bootstrap: ['192.0.2.3:3'],
    });
    assert.throws(() => dht({ BEELINE_DHT: 'yes' }), /BEELINE_DHT/);
    assert.throws(() => dht({}, '--dht-bootstrap', '192.0.2.3'), /--dht-bootstrap/);
  });

  it('divides a folder with placeholders where the first of them stands', () => {
    for (const [typed, to, within] of [
      ['in', 'in', undefined],
      ['in/{{a}}', 'in/{a}', undefined],
      ['in/{date}/{sender}', 'in/', '{date}/{sender}'],
      ['/in/a{{b/x {date}/y', '/in/a{b/', 'x {date}/y'],
      ['{sender}', '.', '{sender}'],
      ['/{sender}', '/', '{sender}'],
      ['a{b', '.', 'a{b'],
      ['-', '-', undefined],
    ] as const) {
      assert.deepEqual(destinationOf(typed, false), { to, ...(within !== undefined && { within }) }, typed);
    }
    assert.deepEqual(destinationOf('C:\\in\\{date}\\{sender}', true), {
      to: 'C:/in/',
      within: '{date}/{sender}',
    });
    assert.deepEqual(receive('7-a', '--to', 'in/{date}').options.within, '{date}');
    assert.deepEqual(
      downloadArgs(['https://x.example/a', '--to', 'in/{date}'], {})?.options.within,
      '{date}',
    );
    assert.deepEqual(listenArgs(['--to', 'in/{date}'], {}).options.within, '{date}');
    const uploads = (to: string) => listenArgs(['--to', to, '--http'], {}).options.to;
    assert.throws(() => uploads('in/{date}'), /--http has one folder for all uploads/);
    assert.equal(uploads('in/{{date}}'), 'in/{date}');
  });

  it('knows several codes, links and devices from one code in parts', () => {
    const several = (...argv: string[]) => receive(...argv).several;
    assert.equal(several('7', 'alpha', 'zoo'), undefined);
    assert.equal(several('--device', 'a'), undefined);
    assert.equal(receive('--device', 'a').options.device, 'a');
    assert.deepEqual(several('7-alpha-zoo', 'https://x.example/#8-alpha-zoo'), [
      { code: '7-alpha-zoo' },
      { code: 'https://x.example/#8-alpha-zoo' },
    ]);
    assert.deepEqual(several('beeline', 'receive', '7-alpha-zoo', '8\u2013alpha\u2013zoo'), [
      { code: '7-alpha-zoo' },
      { code: '8\u2013alpha\u2013zoo' },
    ]);
    assert.deepEqual(several('--device', 'a', '--device', 'b'), [{ device: 'a' }, { device: 'b' }]);
    for (const second of ['Downloads', '2024-photos', './8-alpha-zoo', '8-alpha-', '8-alpha-zoo/'])
      assert.throws(() => receive('7-alpha-zoo', second), { code: 'USAGE' }, second);
  });

  it('turns the flags for several receivers into options', () => {
    const { options, several } = send('x', '--receivers', '5', '--until', '2h', '--no-swarm');
    assert.deepEqual(
      [options.receivers, options.until, options.swarm, options.device, several],
      [5, 7200, false, undefined, 5],
    );
    const any = send('x', '--receivers', 'any');
    assert.deepEqual([any.options.receivers, any.options.swarm, any.several], ['any', true, 'any']);
    const two = send('x', '--device', 'a', '--device', 'b', '--until', '90');
    assert.deepEqual([two.options.device, two.options.until, two.several], [['a', 'b'], 90, 2]);
    assert.equal(send('x', '--device', 'a', '--device', 'a').several, undefined);
    assert.equal(send('x', '--receivers', '1').several, undefined);
    assert.equal(send('-', '--receivers', '3').options.receivers, 3);
    assert.equal(receive('7-a').options.share, true);
    assert.equal(receive('7-a', '--no-share').options.share, false);
    assert.equal(receive('--device', 'l').options.device, 'l');
  });

  it('knows a URL that is fetched from a code and from a link to a page', () => {
    assert.equal(fetching('7-velvet-canyon'), undefined);
    assert.equal(fetching('https://meet.example/#7-velvet-canyon'), undefined);
    assert.equal(fetching(), undefined);
    assert.deepEqual(fetching('HTTPS://example.org/x#part')?.what, [{ url: 'HTTPS://example.org/x#part' }]);
  });

  it('turns the flags of a download into options', () => {
    const given = fetching(
      ...[URL_A, '--mirror', URL_B, '--mirror', 'http://c.example/', '--expect', 'ab', '--name', 'x'],
      ...['--to', 'out', '--lanes', '3', '--limit', '2M', '--wait', '10m', '--allow-private', '--update'],
      ...['--config-dir', 'conf', '--no-receipt', '--sha256', '--list', '--json', '--metrics-port', '0'],
    )!;
    assert.deepEqual(given.what, [
      { url: URL_A, mirrors: [URL_B, 'http://c.example/'], sha256: 'ab', name: 'x' },
    ]);
    assert.deepEqual(given.options, {
      ...{ to: 'out', overwrite: 'update', configDir: 'conf', lanes: 3, limit: 2_000_000, wait: 600 },
      ...{ sha256: true, list: true, receipt: false, allowPrivate: true },
    });
    assert.equal(given.face.json, true);
    assert.equal(given.metricsPort, 0);
    const two = fetching(URL_A, URL_B, '--expect', 'aa', '--expect', 'bb')!;
    assert.deepEqual(two.what, [
      { url: URL_A, sha256: 'aa' },
      { url: URL_B, sha256: 'bb' },
    ]);
    assert.deepEqual(
      [two.options.to, two.options.overwrite, two.options.allowPrivate, two.options.wait],
      ['.', 'ask', false, undefined],
    );
  });

  it('relays only where there is a relay', () => {
    assert.throws(() => send('x', '--relay', 'only'), { code: 'USAGE' });
    assert.throws(() => send('x', '--relay', 'sometimes'), { code: 'USAGE' });
    const env = { BEELINE_SERVER: 'wss://example.org' };
    assert.equal(receiveArgs(['7-a', '--relay', 'only'], env).options.relay, 'only');
    assert.equal(send('x', '--relay', 'only', '--server', 'wss://example.org').options.relay, 'only');
  });

  it('a ~ is the home folder in each flag that names a path, and ./~ is one of that name', () => {
    const [code, config] = ['7-a', '--config-dir=~'];
    const { options, pskFile } = receiveArgs(['--psk-file=~/key', '--to', '~/in/{date}', config], {});
    assert.deepEqual(
      [options.to, options.within, pskFile, options.configDir],
      [`${homedir()}/in/`, '{date}', `${homedir()}/key`, homedir()],
    );
    for (const to of ['./~', '~x/in', 'a/~/b'])
      assert.equal(receiveArgs([code, '--to', to], {}).options.to, to);
    // What a shell finds for `*` may be called so.
    assert.deepEqual(send('~').what, ['~']);
  });

  it('takes a time in seconds, minutes, hours or days', () => {
    const waits = ['0', '90', '90s', '2h', '1d'].map((time) => send('x', '--wait', time).options.wait);
    assert.deepEqual(waits, [0, 90, 90, 7200, 86_400]);
  });

  it('writes a receipt unless told otherwise, and where it is told to', () => {
    assert.equal(receive('7-a').options.receipt, true);
    assert.equal(send('x', '--receipt', 'r.jsonl').options.receipt, 'r.jsonl');
    assert.equal(send('x', '--no-receipt').options.receipt, false);
    const several = (...flags: string[]) => receive('7-a-b', '8-b-c', ...flags).options.receipt;
    assert.equal(several('--receipt', 'auto'), true, 'a new one for each');
  });

  it('takes --update for a policy at the receiver, and for a word at the sender', () => {
    assert.equal(receive('7-a').options.overwrite, 'ask');
    assert.equal(receive('7-a', '--update').options.overwrite, 'update');
    assert.equal(receive('7-a', '--overwrite', 'update').options.overwrite, 'update');
    assert.equal(receive('7-a', '--update', '--overwrite', 'update').options.overwrite, 'update');
    assert.equal(send('x', '--update').options.update, true);
    assert.equal(send('x').options.update, false);
  });

  it('takes what stands after -- as paths', () => {
    assert.deepEqual(send('--', '--yes', '-x').what, ['--yes', '-x']);
  });

  it('takes - for stdin and stdout', () => {
    assert.deepEqual(send('-', '--name', 'a.tar').options.stdinName, 'a.tar');
    assert.equal(receive('7-a', '--to', '-').options.to, '-');
  });

  it('names the receiving flags that a sender was given', () => {
    assert.deepEqual(send('x', '--to', 'd', '--overwrite', 'skip', '--yes').ignored, [
      'to',
      'overwrite',
      'yes',
    ]);
  });

  it('lets flags beat the environment, also other flags for the same purpose', () => {
    const env = { BEELINE_SERVER: 'ws://env', BEELINE_CODE: '1-env', BEELINE_CONFIG_DIR: 'env' };
    assert.equal(receiveArgs([], env).options.code, '1-env');
    assert.equal(receiveArgs([], env).options.server, 'ws://env');
    assert.equal(receiveArgs([], env).options.configDir, 'env');
    assert.equal(receiveArgs(['7-a'], env).options.code, '7-a');
    assert.equal(receiveArgs(['--code', '7-a'], env).options.code, '7-a');
    assert.equal(receiveArgs(['--device', 'l'], env).options.code, undefined);
    assert.equal(receiveArgs(['--psk-file', 'k'], env).options.code, undefined);
    assert.equal(receiveArgs(['--at', 'h:1'], env).options.server, undefined);
    assert.equal(receiveArgs(['--server', 'wss://flag'], env).options.server, 'wss://flag');
    assert.equal(receiveArgs(['--config-dir', 'flag'], env).options.configDir, 'flag');
  });

  it('serves the page from here when told to, whatever server the environment names', () => {
    const env = { BEELINE_SERVER: 'ws://env', BEELINE_CODE: '7-a-b' };
    assert.equal(sendArgs(['x'], env).options.web, false);
    const { options } = sendArgs(['x', '--web', '--at', '0.0.0.0:4848'], env);
    assert.equal(options.web, true);
    assert.deepEqual([options.server, options.at, options.code], [undefined, '0.0.0.0:4848', '7-a-b']);
    assert.equal(sendArgs(['x', '--web'], env).options.server, undefined);
    assert.throws(() => receiveArgs(['--web'], {}), { code: 'USAGE' });
  });

  it('takes empty variables as absent', () => {
    const { options } = sendArgs(['x'], { BEELINE_SERVER: '', BEELINE_CODE: '', BEELINE_CONFIG_DIR: '' });
    assert.deepEqual([options.server, options.code, options.configDir], [undefined, undefined, undefined]);
  });

  it('has a port of its own for the server', () => {
    assert.equal(serverArgs([]).port, 4848);
    assert.deepEqual(serverArgs(['--port', '0', '--host', '::1', '--trust-proxy']), {
      face: { json: false, quiet: false, logLevel: undefined, logFile: undefined },
      port: 0,
      host: '::1',
      trustProxy: true,
      tls: undefined,
      allowOrigins: undefined,
      near: 'auto',
      relay: true,
      relayLimit: undefined,
      relayRate: undefined,
      stun: true,
      stunPort: undefined,
      turn: undefined,
      check: false,
      drain: 30,
      metrics: undefined,
      status: false,
      redis: undefined,
      publicUrl: undefined,
    });
    const { tls, allowOrigins } = serverArgs([
      ...['--tls-cert', 'c.pem', '--tls-key', 'k.pem'],
      ...['--allow-origin', 'https://a.example', '--allow-origin', 'https://b.example'],
    ]);
    assert.deepEqual(tls, { cert: 'c.pem', key: 'k.pem' });
    assert.deepEqual(allowOrigins, ['https://a.example', 'https://b.example']);
    const off = serverArgs(['--no-relay', '--no-stun']);
    assert.deepEqual([off.relay, off.stun], [false, false]);
    const turn = ['--turn-url', 'turn:a', '--turn-url', 'turn:b'];
    const urls = ['turn:a', 'turn:b'];
    const env = { BEELINE_TURN_SECRET: 'env' };
    assert.deepEqual(serverArgs(turn, env).turn, {
      urls,
      secret: 'env',
      secretFile: undefined,
    });
    assert.equal(serverArgs([...turn, '--turn-secret', 'flag'], env).turn?.secret, 'flag');
    assert.equal(serverArgs([...turn, '--turn-secret-file', 'f'], env).turn?.secret, undefined);
    assert.equal(
      serverArgs([], env).turn,
      undefined,
      'a secret in the environment may be for another server',
    );
  });

  it('is one of several servers with a Redis, and a URL of its own', () => {
    const url = 'redis://h';
    const own = ['--public-url', 'https://a.example'];
    const { redis, publicUrl } = serverArgs(['--redis', url, ...own]);
    assert.deepEqual([redis, publicUrl], [{ url, urlFile: undefined }, 'https://a.example']);
    const env = { BEELINE_REDIS_URL: 'redis://env' };
    assert.equal(serverArgs(own, env).redis?.url, 'redis://env');
    assert.deepEqual(serverArgs(['--redis-url-file', 'f', ...own], env).redis, {
      url: undefined,
      urlFile: 'f',
    });
    assert.equal(serverArgs(['--redis', url, '--no-relay']).publicUrl, undefined);
    for (const argv of [
      ['--redis', url],
      own,
      ['--redis', url, '--redis-url-file', 'f', ...own],
      ['--redis', url, '--public-url', 'ftp://h'],
    ])
      assert.throws(
        () => serverArgs(argv),
        (error) => error instanceof BeelineError && error.code === 'USAGE',
      );
  });

  it('never throws anything but USAGE, whatever is typed', () => {
    fc.assert(
      fc.property(fc.constantFrom(...COMMANDS), fc.array(fc.string({ unit: 'binary' })), (command, argv) => {
        try {
          parse(command, argv);
        } catch (error) {
          assert.equal((error as BeelineError).code, 'USAGE');
        }
      }),
    );
  });

  it('suggests only what is near', () => {
    assert.equal(nearest('recieve', COMMANDS), 'receive');
    assert.equal(nearest('snd', COMMANDS), 'send');
    assert.equal(nearest('serv', COMMANDS), 'serve');
    assert.equal(nearest('upload', COMMANDS), undefined);
    assert.equal(nearest('', COMMANDS), undefined);
    assert.equal(nearest('s'.repeat(1e6), COMMANDS), undefined);
  });
});
