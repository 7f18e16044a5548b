/** The keys by which a page and another device know each other: the same mechanism as the command's, with keys that never leave the browser. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, it } from 'node:test';
import { fromHex } from '../../src/base/bytes.ts';
import { newPair, type OwnPair, secretWith } from '../../src/browser/people/keys.ts';
import { formatDeviceKey } from '../../src/identity/device-key.ts';
import { KnownDevices } from '../../src/identity/devices.ts';

const folder = await mkdtemp(join(tmpdir(), 'beeline-people-'));
after(() => rm(folder, { recursive: true, force: true }));

const shown = ({ id }: OwnPair) => formatDeviceKey(fromHex(id));
const pair = async () => (await newPair())!;

it('a page and a command come to the same secret, one for each direction', async () => {
  const page = await pair();
  const command = await KnownDevices.open(folder);
  await command.add('page', shown(page));
  const here = { ...page, key: command.own.publicKey };
  const sends = await secretWith(here, 'sender');
  const receives = await secretWith(here, 'receiver');
  assert.deepEqual(sends, command.secretFor('page', 'receiver'));
  assert.deepEqual(receives, command.secretFor('page', 'sender'));
  assert.notDeepEqual(sends, receives);
});

it('two pages come to the same secret, and a third one to another', async () => {
  const [one, other, third] = await Promise.all([pair(), pair(), pair()]);
  const there = await secretWith({ ...other, key: shown(one) }, 'receiver');
  assert.deepEqual(await secretWith({ ...one, key: shown(other) }, 'sender'), there);
  const false_ = await secretWith({ ...third, key: shown(one) }, 'receiver');
  assert.notEqual(false_.nameplate, there.nameplate);
  assert.notDeepEqual(false_.password, there.password);
});

it('each pair is a new one, and its private key cannot be read', async () => {
  const [one, other] = await Promise.all([pair(), pair()]);
  assert.notEqual(one.id, other.id);
  assert.equal(one.own.extractable, false);
  for (const format of ['raw', 'pkcs8', 'jwk'] as const)
    await assert.rejects(crypto.subtle.exportKey(format, one.own), format);
});

it('a key of small order, and what is no key, is refused', async () => {
  const own = await pair();
  for (const small of ['00'.repeat(32), `01${'00'.repeat(31)}`])
    await assert.rejects(secretWith({ ...own, key: formatDeviceKey(fromHex(small)) }, 'sender'), small);
  const key = shown(await pair());
  await assert.rejects(
    secretWith({ ...own, key: `${key.slice(0, -1)}${key.endsWith('a') ? 'b' : 'a'}` }, 'sender'),
  );
  await assert.rejects(secretWith({ ...own, key: '' }, 'sender'));
});
