import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { inspect, promisify } from 'node:util';
import { BeelineError } from '../../src/base/errors.ts';
import { defaultConfigDir } from '../../src/identity/config-folder.ts';
import { formatDeviceKey, parseDeviceKey } from '../../src/identity/device-key.ts';
import { KnownDevices } from '../../src/identity/devices.ts';
import { generatePrivatePem, readPrivatePem } from '../../src/identity/x25519.ts';
import { childModule } from '../child.ts';

const root = await mkdtemp(join(tmpdir(), 'beeline-devices-'));
after(() => rm(root, { recursive: true }));

let made = 0;
const freshFolder = () => join(root, `config-${made++}`, 'beeline');
const someKey = () => formatDeviceKey(readPrivatePem(generatePrivatePem())!.publicKey);
const isCode =
  (code: string, text = '') =>
  (thrown: unknown) =>
    thrown instanceof BeelineError && thrown.code === code && thrown.message.includes(text);
const isUsage = isCode('USAGE');
const posix = { skip: process.platform === 'win32' };

test('the first use makes a private folder and key, later ones find them', posix, async () => {
  const folder = freshFolder();
  const first = await KnownDevices.open(folder);
  assert.equal((await stat(folder)).mode & 0o777, 0o700);
  assert.equal((await stat(join(folder, 'device.key'))).mode & 0o777, 0o600);
  assert.equal(parseDeviceKey(first.own.publicKey).length, 32);
  assert.deepEqual(first.list(), []);
  assert.equal((await KnownDevices.open(folder)).own.publicKey, first.own.publicKey);
  assert.deepEqual(await readdir(folder), ['device.key'], 'no temporary file or lock is left');
});

test('two devices that trust each other share a secret', async () => {
  const [a, b] = await Promise.all([KnownDevices.open(freshFolder()), KnownDevices.open(freshFolder())]);
  await a.add('Laptop', b.own.publicKey);
  await b.add('desk top', ` ${a.own.publicKey.toUpperCase()}`);
  const secret = a.secretFor('Laptop', 'sender');
  assert.equal(secret.way, 'device');
  assert.deepEqual(b.secretFor('desk top', 'receiver'), secret);
  assert.deepEqual(b.secretFor(a.own.publicKey, 'receiver'), secret);
  assert.throws(() => a.secretFor('desk top', 'sender'), isUsage);
});

test('devices are added, found, kept and removed', async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  const [one, two] = [someKey(), someKey()];
  await devices.add(' caf\u00e9 ', one);
  await devices.add('two', two);
  await devices.add('two', two);
  const expected = [
    { name: 'caf\u00e9', key: one },
    { name: 'two', key: two },
  ];
  assert.deepEqual(devices.list(), expected);
  const reopened = await KnownDevices.open(folder);
  assert.deepEqual(reopened.list(), expected);
  assert.deepEqual(reopened.find('cafe\u0301'), expected[0]);
  assert.deepEqual(reopened.find(two), expected[1]);
  assert.equal(reopened.find('three'), undefined);

  assert.deepEqual(await reopened.remove('two'), expected[1]);
  await assert.rejects(reopened.remove('two'), isUsage);
  assert.deepEqual(await devices.remove(one), expected[0]);
  assert.deepEqual(devices.list(), []);
  assert.deepEqual((await KnownDevices.open(folder)).list(), []);
});

test('a name or key that stands for another device is refused, and so are own and unusable keys', async () => {
  const devices = await KnownDevices.open(freshFolder());
  const key = someKey();
  await devices.add('one', key);
  await assert.rejects(devices.add('one', someKey()), isCode('USAGE', 'another key'));
  await assert.rejects(devices.add('two', key), isCode('USAGE', 'as one'));
  await assert.rejects(devices.add('me', devices.own.publicKey), isCode('USAGE', 'own key'));
  await assert.rejects(devices.add('zero', formatDeviceKey(new Uint8Array(32))), isUsage);
  await assert.rejects(devices.add('typo', `${key.slice(0, -2)}aa`), isUsage);
  assert.deepEqual(devices.list(), [{ name: 'one', key }]);
});

test('names are 1 to 64 visible characters', async () => {
  const devices = await KnownDevices.open(freshFolder());
  for (const name of [
    '',
    '  ',
    'x'.repeat(65),
    'a\nb',
    'a\u001b[31mb',
    'a\u0000',
    'a\u202eb',
    'a\u2066b',
    'a\u200bb',
    'a\u2028b',
    '\ud800',
    'bl1abc',
    'BL1abc',
  ])
    await assert.rejects(devices.add(name, someKey()), isUsage, JSON.stringify(name));
  for (const name of ['x', '\u{1f680}'.repeat(64), "Ann's \u7b14\u8bb0\u672c #2", '\u05de\u05d7\u05e9\u05d1'])
    assert.equal((await devices.add(name, someKey())).name, name);
});

test('a key or list that others can get at is refused, with the way to mend it', posix, async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  await devices.add('one', someKey());
  for (const [file, modes] of [
    ['device.key', [0o640, 0o604, 0o620]],
    ['devices.json', [0o620, 0o602]],
  ] as const)
    for (const mode of modes) {
      await chmod(join(folder, file), mode);
      await assert.rejects(
        KnownDevices.open(folder),
        isCode('USAGE', 'chmod 600'),
        `${file} ${mode.toString(8)}`,
      );
      await chmod(join(folder, file), 0o600);
    }
  await chmod(join(folder, 'devices.json'), 0o644);
  assert.equal((await KnownDevices.open(folder)).list().length, 1);

  const shared = freshFolder();
  await mkdir(shared, { recursive: true });
  await chmod(shared, 0o777);
  await assert.rejects(KnownDevices.open(shared), isCode('USAGE', 'folder of your own'));
});

test('damaged files are named, never replaced or half believed', async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  const key = someKey();
  const list = join(folder, 'devices.json');
  const file = (...entries: unknown[]) => JSON.stringify({ version: 1, devices: entries });
  for (const text of [
    '',
    'null',
    '[]',
    '{"version":2,"devices":[]}',
    '{"version":1,"devices":{}}',
    file({ name: 'one' }),
    file({ name: 1, key }),
    file({ name: 'a\u202e', key }),
    file({ name: 'one', key: `${key.slice(0, -2)}aa` }),
    file({ name: 'one', key }, { name: 'two', key }),
    file({ name: 'one', key }, { name: 'one', key: someKey() }),
    file(null),
    'x'.repeat(1024 * 1024 + 1),
  ]) {
    await writeFile(list, text, { mode: 0o600 });
    await assert.rejects(KnownDevices.open(folder), isCode('DAMAGED', list), text.slice(0, 80));
    await assert.rejects(devices.add('three', someKey()), isCode('DAMAGED', list));
    assert.equal(await readFile(list, 'utf8'), text);
  }
  await rm(list);
  await writeFile(join(folder, 'device.key'), 'not a key', { mode: 0o600 });
  await assert.rejects(KnownDevices.open(folder), isCode('DAMAGED', 'device.key'));
  await rm(join(folder, 'device.key'));
  await mkdir(join(folder, 'device.key'));
  await assert.rejects(KnownDevices.open(folder), isCode('USAGE', 'device.key'));
});

test('many at once: one key is made, and no addition is lost', async () => {
  const folder = freshFolder();
  const opened = await Promise.all(Array.from({ length: 8 }, () => KnownDevices.open(folder)));
  assert.equal(new Set(opened.map((devices) => devices.own.publicKey)).size, 1);
  await Promise.all(opened.map((devices, i) => devices.add(`device ${i}`, someKey())));
  assert.equal((await KnownDevices.open(folder)).list().length, 8);
  assert.deepEqual((await readdir(folder)).sort(), ['device.key', 'devices.json']);
});

test('several processes at once: no addition is lost', async () => {
  const folder = freshFolder();
  const { url, node } = childModule('src/identity/devices.ts');
  const script = `
    const { KnownDevices } = await import(${JSON.stringify(url)});
    const devices = await KnownDevices.open(process.argv[1]);
    await devices.add(process.argv[2], process.argv[3]);`;
  const run = (name: string) =>
    promisify(execFile)(process.execPath, [
      ...[...node, '--input-type=module', '--eval', script],
      ...[folder, name, someKey()],
    ]);
  await Promise.all(['a', 'b', 'c'].map(run));
  const names = (await KnownDevices.open(folder)).list().map((device) => device.name);
  assert.deepEqual(names.sort(), ['a', 'b', 'c']);
});

test('nothing printable of the object or its errors holds the private key', async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  const pem = await readFile(join(folder, 'device.key'), 'utf8');
  const { privateKey } = readPrivatePem(pem)!;
  const shown = inspect(devices, { showHidden: true, depth: 9 }) + JSON.stringify(devices);
  for (const form of ['hex', 'base64', 'base64url'] as const)
    assert.ok(!shown.includes(Buffer.from(privateKey).toString(form)));
  await writeFile(join(folder, 'device.key'), pem.replace('MC4', 'MC5'), { mode: 0o600 });
  await assert.rejects(KnownDevices.open(folder), (thrown) => {
    const text = inspect(thrown, { showHidden: true, depth: 9 });
    return isCode('DAMAGED')(thrown) && !text.includes(pem.split('\n')[1]!.slice(-20));
  });
});

test('the folder is the one asked for, else the platform default', () => {
  const home = homedir();
  assert.equal(defaultConfigDir({ BEELINE_CONFIG_DIR: '/a', XDG_CONFIG_HOME: '/b' }, 'linux'), '/a');
  assert.equal(defaultConfigDir({ XDG_CONFIG_HOME: '/b' }, 'linux'), join('/b', 'beeline'));
  assert.equal(defaultConfigDir({ XDG_CONFIG_HOME: 'relative' }, 'linux'), join(home, '.config', 'beeline'));
  assert.equal(defaultConfigDir({}, 'darwin'), join(home, '.config', 'beeline'));
  assert.equal(defaultConfigDir({ APPDATA: '/c' }, 'win32'), join('/c', 'beeline'));
});

test('a process that was killed while it changed the list does not stop the next one', async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  const { url, node } = childModule('src/identity/config-folder.ts');
  const half = `.${randomUUID()}.tmp`;
  const program = `
    const { writeFileSync } = await import('node:fs');
    const { whileLocked } = await import('${url}');
    await whileLocked('${folder}', async () => {
      writeFileSync('${folder}/${half}', 'half');
      process.kill(process.pid, 'SIGKILL');
    });
  `;
  const killed = promisify(execFile)(process.execPath, [...node, '--input-type=module', '-e', program]);
  await assert.rejects(killed, { signal: 'SIGKILL' });
  assert.deepEqual((await readdir(folder)).sort(), [half, 'device.key', 'lock']);
  await devices.add('next', someKey());
  const kept = await readdir(folder);
  assert.deepEqual([kept.includes('lock'), kept.includes(half)], [false, false]);
});

test('rules for what comes from a device are kept with it, and go with it', async () => {
  const folder = freshFolder();
  const devices = await KnownDevices.open(folder);
  await devices.add('laptop', someKey());
  const rules = {
    to: join(root, 'in'),
    maxBytes: 5,
    quota: { bytes: 9, since: 1 },
    overwrite: 'skip',
  } as const;
  assert.deepEqual((await devices.setInbox('laptop', rules)).inbox, rules);
  await devices.add('phone', someKey());
  const again = await KnownDevices.open(folder);
  assert.deepEqual(again.find('laptop')?.inbox, rules);
  assert.equal('inbox' in again.find('phone')!, false);
  await again.setInbox('laptop', { refuse: true });
  assert.deepEqual(again.find('laptop')?.inbox, { refuse: true }, 'all at once');
  await again.setInbox('laptop', undefined);
  assert.equal('inbox' in (await KnownDevices.open(folder)).find('laptop')!, false);
  await assert.rejects(again.setInbox('nobody', rules), isUsage);
  for (const wrong of [
    { to: 'relative' },
    { maxBytes: 0 },
    { quota: { bytes: 1 } },
    { what: 1 },
    { overwrite: 'ask' },
  ])
    await assert.rejects(again.setInbox('laptop', wrong as object), isCode('USAGE'), JSON.stringify(wrong));
  const path = join(folder, 'devices.json');
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace('"name": "laptop"', '"name": "laptop", "inbox": { "to": "../up" }'), {
    mode: 0o600,
  });
  await assert.rejects(KnownDevices.open(folder), isCode('DAMAGED'));
});
