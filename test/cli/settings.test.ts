/** A person's own settings: `beeline config`, and what they do to a command line. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import fc from 'fast-check';
import { BeelineError } from '../../src/base/errors.ts';
import { parse } from '../../src/cli/args.ts';
import { parseSettings } from '../../src/cli/configuration.ts';
import { dispatch } from '../../src/cli/dispatch.ts';
import { COMMANDS, FLAGS, type Flag, undoing } from '../../src/cli/flags.ts';
import { receiveArgs, sendArgs, serverArgs } from '../../src/cli/options.ts';
import { SETTINGS } from '../../src/cli/settings.ts';
import { settled } from '../../src/cli/settle.ts';
import { scratch } from '../node/files/helpers.ts';
import { fakeHost } from './fakes.ts';

function folder(t: TestContext, text?: string) {
  const dir = scratch(t);
  const path = join(dir, 'config.yaml');
  if (text !== undefined) writeFileSync(path, text, { mode: 0o600 });
  const env = { BEELINE_CONFIG_DIR: dir };
  const run = async (...argv: string[]) => {
    const host = fakeHost({ env });
    const status = await dispatch(['config', ...argv], host);
    return { status, out: host.stdout.text, err: host.stderr.text };
  };
  const whole = async (argv: string[], more: Record<string, string> = {}) => {
    const found = await settled(argv, { ...env, ...more });
    return { words: found.argv.join(' '), server: found.env.BEELINE_SERVER };
  };
  return { dir, path, env, run, whole };
}

const ALL =
  'server: wss://h\nto: /in\noverwrite: rename\nlimit: 10M\nno-lan: true\nno-dht: true\nqr: false\n';

describe('cli: settings', () => {
  it('are set, shown and taken back, and comments stay', async (t) => {
    const { path, run } = folder(t);
    assert.match((await run()).out, /^Nothing is set\./);
    assert.equal((await run('set', 'server', 'wss://beeline.example.org')).status, 0);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    writeFileSync(path, `# mine\n${readFileSync(path, 'utf8')}`);
    assert.equal((await run('set', 'no-dht', 'true')).status, 0);
    assert.equal((await run('set', 'to', 'here')).status, 0);
    assert.equal((await run('get', 'to')).out, `${join(process.cwd(), 'here')}\n`);
    assert.equal((await run('unset', 'to')).status, 0);
    assert.equal(readFileSync(path, 'utf8'), '# mine\nserver: wss://beeline.example.org\nno-dht: true\n');
    assert.equal((await run()).out, 'server: wss://beeline.example.org\nno-dht: true\n');
    assert.deepEqual(JSON.parse((await run('get', 'no-dht', '--json')).out), {
      event: 'setting',
      name: 'no-dht',
      value: true,
    });
    assert.equal((await run('get', 'limit')).out, '');
    assert.equal((await run('path')).out, `${path}\n`);
  });

  it('that are wrong are refused, and nothing is written', async (t) => {
    const { path, run } = folder(t);
    for (const [argv, why] of [
      [['set', 'sever', 'x'], /Did you mean server\?/],
      [['set', 'limit', 'much'], /limit much: this is not a rate/],
      [['set', 'limit'], /takes a NAME and a VALUE/],
      [['set', 'no-dht', 'yes'], /^beeline: no-dht yes: it must be true or false/],
      [['set', 'lanes', '99'], /^beeline: lanes 99: it must be a whole number from 1 to 64/],
      [['set', 'constructor', 'x'], /There is no setting constructor/],
      [['lst'], /Did you mean list\?/],
      [['set', 'to', ''], /to needs a value.*config unset to/],
      [['set', 'to', '-'], /to must be a whole path/],
    ] as const) {
      const { status, err } = await run(...argv);
      assert.equal(status, 2, argv.join(' '));
      assert.match(err, why);
    }
    assert.ok(!existsSync(path));
  });

  it('that are wrong in the file are told with the line, by every command that reads it', async (t) => {
    const { path, env, run, whole } = folder(t, 'server: wss://h\nlimt: 10M\nno-lan: 3\nto: relative\n');
    for (const text of [
      (await run()).err,
      await whole(['send', 'x']).then(
        () => '',
        (error: Error) => error.message,
      ),
    ]) {
      assert.ok(text.includes(`${path}:2: there is no limt. Did you mean limit?`), text);
      assert.ok(text.includes(`${path}:3: no-lan is either true or false.`), text);
      assert.ok(text.includes(`${path}:4: to must be a whole path`), text);
    }
    // One that others may write is not read: it says where to send.
    writeFileSync(path, 'server: wss://h\n');
    chmodSync(path, 0o666);
    await assert.rejects(settled(['send', 'x'], env), { code: 'USAGE' });
    chmodSync(path, 0o600);
    writeFileSync(path, 'x'.repeat(70_000));
    await assert.rejects(settled(['send', 'x'], env), { code: 'DAMAGED' });
    // A command without settings does not need the file.
    assert.deepEqual((await settled(['trust'], env)).argv, ['trust']);
    assert.deepEqual((await settled(['send', '--help'], env)).argv, ['send', '--help']);
  });

  it('stand before what is typed, and reach the commands that know them', async (t) => {
    const { whole, env } = folder(t, ALL);
    assert.deepEqual(await whole(['send', 'x']), {
      words: 'send --limit=10M --no-lan --no-dht x',
      server: 'wss://h',
    });
    assert.deepEqual(await whole(['receive', '7-a']), {
      words: 'receive --to=/in --overwrite=rename --limit=10M --no-lan --no-dht 7-a',
      server: 'wss://h',
    });
    assert.equal((await whole(['listen'])).words, 'listen --to=/in --limit=10M --no-lan');
    assert.equal(
      (await whole(['receive', 'https://h/f'])).words,
      'receive --to=/in --overwrite=rename --limit=10M https://h/f',
    );
    assert.equal((await whole(['verify', 'a', 'b'])).words, 'verify a b');
    const { argv } = await settled(['receive', '7-a', '--limit', '1M', '--to', '.'], env);
    const { options } = receiveArgs(argv.slice(1), {});
    assert.equal(options.limit, 1_000_000);
    assert.equal(options.to, '.');
  });

  it('a switch that is set is taken back by what is typed; of the two that are typed the later counts', async (t) => {
    const { env } = folder(t, 'qr: true\nno-lan: true\nno-port-map: true\nno-dht: true\nno-receipt: true\n');
    const sent = async (...typed: string[]) => {
      const { argv } = await settled(['send', 'x', ...typed], env);
      const { qr, options } = sendArgs(argv.slice(1), {});
      return { qr, lan: options.lan, portMap: options.portMap, dht: options.dht, receipt: options.receipt };
    };
    assert.deepEqual(await sent(), { qr: true, lan: false, portMap: false, dht: false, receipt: false });
    assert.deepEqual(await sent('--no-qr', '--lan', '--port-map', '--dht', '--receipt', 'auto'), {
      ...{ qr: false, lan: true, portMap: true, dht: true, receipt: true },
    });
    assert.equal((await sent('--no-qr', '--qr')).qr, true);
    assert.equal((await sent('--lan', '--no-lan')).lan, false);
    assert.equal((await sent('--receipt', './auto')).receipt, './auto');
    await assert.rejects(sent('--lan=x'), { code: 'USAGE' });
  });

  it('a value that is set is taken back by no-, the server of the environment too', async (t) => {
    const { env } = folder(t, 'server: wss://h\nlimit: 1M\nlanes: 3\nwait: 1h\nproxy: socks5://h:1\n');
    const typed = ['--no-server', '--no-proxy', '--no-limit', '--no-lanes', '--no-wait'];
    const { argv, env: whole } = await settled(['send', 'x', ...typed], {
      ...env,
      BEELINE_SERVER: 'wss://e',
    });
    const { proxy, options } = sendArgs(argv.slice(1), whole);
    const { server, limit, lanes, wait } = options;
    assert.deepEqual([server, proxy, limit, lanes, wait], Array(5).fill(undefined));
    const kept = sendArgs((await settled(['send', 'x'], env)).argv.slice(1), { BEELINE_SERVER: 'wss://h' });
    assert.deepEqual([kept.options.server, kept.options.limit], ['wss://h', 1_000_000]);
    // That would be read as never.
    assert.throws(() => sendArgs(['x', '--no-relay'], {}), /Did you mean --relay WHEN\?/);
  });

  it('each switch of each command has one flag that takes it back, and none has two meanings', () => {
    for (const command of COMMANDS) {
      const flags: Readonly<Record<string, Flag>> = FLAGS[command];
      const undo = undoing(command);
      for (const [name, taken] of undo) {
        assert.ok(!(name in flags), `${command} --${name}`);
        const value = { server: 'wss://h', proxy: 'http://h', limit: '1M', lanes: '2', wait: '1m' }[taken];
        const given = flags[taken]!.read ? `--${taken}=${value}` : `--${taken}`;
        const { flags: left, undone } = parse(command, [given, `--${name}`]);
        assert.deepEqual([left, [...undone]], [{}, [taken]], `${command} --${name}`);
      }
      const switches = Object.keys(flags).filter((name) => !flags[name]!.read && !flags[name]!.typedOnly);
      const without = switches.filter((name) => ![...undo.values()].includes(name));
      assert.deepEqual(without, ['send', 'receive'].includes(command) ? ['no-receipt'] : [], command);
    }
    const file = { status: true, 'no-relay': true } as const;
    const { status, relay } = serverArgs(['--no-status', '--relay'], {}, file);
    assert.deepEqual([status, relay], [false, true]);
    assert.throws(() => serverArgs(['--no-statu'], {}), /Did you mean --no-status\?/);
  });

  it('are taken back where none are, and comments stay', async (t) => {
    const { path, run } = folder(t);
    assert.deepEqual(await run('unset', 'to'), { status: 0, out: '', err: '' });
    assert.ok(!existsSync(path));
    writeFileSync(path, '# mine\n', { mode: 0o600 });
    assert.equal((await run('unset', 'to')).status, 0);
    assert.equal(readFileSync(path, 'utf8'), '# mine\n');
  });

  it('hold for a code that is received, whatever URL is typed behind a flag', async (t) => {
    const { whole } = folder(t, 'relay: never\nno-lan: true\nlimit: 1M\n');
    const all = 'receive --relay=never --no-lan --limit=1M';
    for (const typed of ['--server https://h 7-a', '--server=https://h 7-a', '7-a --server https://h/'])
      assert.equal((await whole(['receive', ...typed.split(' ')])).words, `${all} ${typed}`);
    // The link of a page has a code.
    assert.equal((await whole(['receive', 'https://h/#7-a'])).words, `${all} https://h/#7-a`);
    for (const typed of ['--mirror https://m/f https://h/f', '--mirror=https://m/f -- https://h/f'])
      assert.equal((await whole(['receive', ...typed.split(' ')])).words, `receive --limit=1M ${typed}`);
  });

  it('a proxy holds for whatever goes to a server, and what would go past it is refused with the name of the file', async (t) => {
    const { path, env, whole } = folder(t, 'proxy: socks5://127.0.0.1:1080\nserver: wss://h\n');
    const set = '--proxy=socks5://127.0.0.1:1080';
    for (const typed of ['listen', 'doctor --json', 'outbox send', 'outbox --quiet send']) {
      const [command, ...rest] = typed.split(' ');
      assert.equal((await whole(typed.split(' '))).words, [command, set, ...rest].join(' '));
    }
    assert.equal((await whole(['outbox', 'send', '--wait', '1h'])).words, `outbox ${set} send --wait 1h`);
    assert.equal((await whole(['outbox', 'cancel', '1'])).words, 'outbox cancel 1');
    for (const [typed, why] of [
      [['send', 'x', '--at', 'h:1'], /--at would go past --proxy/],
      [['listen', '--http'], /--http would go past --proxy/],
    ] as const) {
      const { argv, env: whole, locate } = await settled(typed, env);
      const host = fakeHost({ env: whole as Record<string, string> });
      assert.equal(await dispatch(argv, host, locate), 2);
      assert.match(host.stderr.text, why);
      assert.ok(host.stderr.text.includes(`--proxy is set in ${path}.`), host.stderr.text);
    }
    // What was typed is not in the file.
    const both = [...'send x --at h:1 --proxy socks5://127.0.0.1:1'.split(' ')];
    const { argv, locate } = await settled(both, env);
    const host = fakeHost({ env });
    assert.equal(await dispatch(argv, host, locate), 2);
    assert.ok(!host.stderr.text.includes(path), host.stderr.text);
  });

  it('are read where they are, are mine, and are not switched off', async (t) => {
    const { dir, path, env, run, whole } = folder(t, 'limit: 5M\n');
    assert.equal((await whole(['send', 'x'], { BEELINE_CONFIG: 'off' })).words, 'send x');
    assert.equal((await whole(['send', 'x'], { BEELINE_CONFIG: '' })).words, 'send --limit=5M x');
    await assert.rejects(whole(['send', 'x'], { BEELINE_CONFIG: '/etc/x' }), { code: 'USAGE' });
    if (process.getuid?.() === 0) {
      chownSync(path, 12_345, 12_345);
      await assert.rejects(settled(['send', 'x'], env), { code: 'USAGE', reason: 'PRIVATE_FILE_FOREIGN' });
      chownSync(path, 0, 0);
    }
    rmSync(path);
    assert.equal((await whole(['send', 'x'])).words, 'send x');
    symlinkSync(join(dir, 'nowhere'), path);
    await assert.rejects(settled(['send', 'x'], env), { code: 'UNREADABLE' });
    assert.match((await run('set', 'limit', '1M')).err, /it is a link that leads nowhere/);
    // Where it would be is no folder.
    rmSync(path);
    writeFileSync(path, '');
    await assert.rejects(settled(['send', 'x', '--config-dir', path], env), { code: 'UNREADABLE' });
  });

  it('are written through a link, which stays one', async (t) => {
    const { dir, path, run } = folder(t);
    const real = join(dir, 'dotfiles.yaml');
    writeFileSync(real, 'limit: 5M\n', { mode: 0o600 });
    symlinkSync('dotfiles.yaml', path);
    assert.equal((await run('set', 'relay', 'never')).status, 0);
    assert.ok(lstatSync(path).isSymbolicLink());
    assert.equal(readFileSync(real, 'utf8'), 'limit: 5M\nrelay: never\n');
    assert.equal((await run('unset', 'limit')).status, 0);
    assert.equal(readFileSync(real, 'utf8'), 'relay: never\n');
  });

  it('yield to the environment, and to what is typed against them', async (t) => {
    const { whole } = folder(t, ALL);
    assert.equal((await whole(['send', 'x'], { BEELINE_SERVER: 'wss://other' })).server, 'wss://other');
    assert.doesNotMatch((await whole(['send', 'x'], { BEELINE_DHT: 'h:1' })).words, /no-dht/);
    assert.doesNotMatch((await whole(['receive', '7-a', '--update'])).words, /overwrite/);
    assert.doesNotMatch((await whole(['send', 'x', '--dht-bootstrap=h:1'])).words, /no-dht/);
    // A place that is typed is meant.
    const { argv, env } = await settled(['send', 'x', '--at', 'h:1'], { ...folder(t, ALL).env });
    assert.equal(sendArgs(argv.slice(1), env).options.server, undefined);
  });

  it('find the folder that --config-dir names', async (t) => {
    const { dir } = folder(t, 'limit: 5M\n');
    for (const typed of [['--config-dir', dir], [`--config-dir=${dir}`]])
      assert.match((await settled(['send', 'x', ...typed], {})).argv.join(' '), /^send --limit=5M x /);
  });

  it('know the home folder by its sign', () => {
    assert.equal(parseSettings('to: ~/In', 'f').get('to'), join(homedir(), 'In'));
  });

  it('whatever stands in the file, are right or are a mistake with a line', () => {
    const line = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...Object.keys(SETTINGS), '__proto__'), fc.string())
        .map(([name, text]) => `${name}: ${text}`),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 5 }), (lines) => {
        try {
          for (const [name] of parseSettings(lines.join('\n'), 'f.yaml'))
            assert.ok(Object.hasOwn(SETTINGS, name));
        } catch (error) {
          assert.ok(error instanceof BeelineError && error.code === 'USAGE', String(error));
          assert.match(error.message, /^f\.yaml:/);
        }
      }),
      { seed: Number(process.env.SEED ?? 1) },
    );
  });
});
