import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Access, hostNameOf } from '../../../src/http/serving/access.ts';
import { Allowance } from '../../../src/http/serving/allowance.ts';

const asked = (path: string, more: object = {}) => ({
  path,
  host: '192.0.2.7:8080',
  authorization: undefined,
  key: 'a',
  now: 0,
  ...more,
});
const basic = (password: string) => `Basic ${Buffer.from(`me:${password}`).toString('base64')}`;

test('a link opens for its secret alone, whatever stands before and behind it', () => {
  const access = new Access('link');
  assert.match(access.prefix, /^\/[A-Za-z0-9_-]{22}$/);
  assert.notEqual(access.prefix, new Access('link').prefix);
  assert.deepEqual(access.admit(asked(`${access.prefix}/a/b`)), { rest: '/a/b' });
  assert.deepEqual(access.admit(asked(access.prefix)), { rest: '' });
  for (const path of [
    '/',
    '',
    '/a',
    access.prefix.slice(0, -1),
    `${access.prefix}x/`,
    `/x${access.prefix}/`,
    `/${access.prefix}/`,
  ])
    assert.deepEqual(access.admit(asked(path)), { refused: 'unknown' }, path);
  assert.equal(access.masked(`${access.prefix}/a`), '/…/a');
});

test('wrong links are counted by address, and the right one still opens', () => {
  const access = new Access('link');
  for (let i = 0; i < 20; i++) assert.deepEqual(access.admit(asked('/wrong/')), { refused: 'unknown' });
  assert.deepEqual(access.admit(asked('/wrong/', { now: 60_000 })), { refused: 'guessing', seconds: 240 });
  assert.deepEqual(access.admit(asked('/wrong/', { key: 'b' })), { refused: 'unknown' });
  assert.deepEqual(access.admit(asked(`${access.prefix}/`)), { rest: '/' });
});

test('a password opens with any user name; who guessed too often is not heard, even with the right one', () => {
  const access = new Access({ password: 'öffne dich: bitte' });
  assert.deepEqual(access.admit(asked('/x', { authorization: basic('öffne dich: bitte') })), { rest: '/x' });
  assert.deepEqual(access.admit(asked('/x')), { refused: 'unauthorized' });
  for (let i = 0; i < 20; i++)
    assert.deepEqual(access.admit(asked('/x', { authorization: basic('no') })), { refused: 'unauthorized' });
  const right = { authorization: basic('öffne dich: bitte') };
  assert.deepEqual(access.admit(asked('/x', right)), { refused: 'guessing', seconds: 300 });
  assert.deepEqual(access.admit(asked('/x', { ...right, key: 'b' })), { rest: '/x' });
  assert.deepEqual(access.admit(asked('/x', { ...right, now: 300_001 })), { rest: '/x' });
  for (const authorization of [
    '',
    'Basic',
    'Bearer x',
    'Basic !!!',
    `Basic ${Buffer.from('nocolon').toString('base64')}`,
  ])
    assert.deepEqual(access.admit(asked('/x', { authorization, key: 'c' })), { refused: 'unauthorized' });
});

test('where everybody may come, the host is an address or a name that is known', () => {
  const access = new Access('public', ['laptop.local']);
  for (const host of [
    '127.0.0.1',
    '192.168.1.7:8080',
    '[fe80::1]:80',
    '[::1]',
    'localhost:8080',
    'LAPTOP.local',
    'laptop.local.:80',
  ])
    assert.deepEqual(access.admit(asked('/x', { host })), { rest: '/x' }, host);
  for (const host of [
    undefined,
    '',
    'evil.example',
    'evil.example:8080',
    '127.0.0.1.evil.example',
    'localhost.evil.example',
    '0x7f.1',
    '127.1',
    'a b',
    'x@127.0.0.1',
  ])
    assert.deepEqual(access.admit(asked('/x', { host })), { refused: 'host' }, host);
  assert.equal(hostNameOf('[::1'), undefined);
});

test('a download is the whole file, by one address, in any number of ranges and orders', () => {
  const allowance = new Allowance({ downloads: 2 });
  const give = (what: string, from: number, end: number, now = 0) =>
    allowance.begin(what, now)?.(now, [{ from, end }], 10);
  assert.equal(give('a', 5, 10), false);
  assert.equal(give('a', 0, 3), false);
  assert.equal(give('a', 2, 5), true);
  assert.equal(allowance.downloads, 1);
  assert.equal(give('b', 0, 9), false);
  // The second one is begun, so that nobody else has it; a minute later the place is free again.
  assert.equal(allowance.begin('c', 10), undefined);
  assert.equal(allowance.over(10), false);
  assert.equal(give('c', 0, 10, 60_001), true);
  assert.equal(allowance.over(60_001), true);
  assert.equal(allowance.begin('d', 60_002), undefined);
});

test('parts at several addresses make no download, and a second whole one does', () => {
  const allowance = new Allowance({ downloads: 5 });
  const give = (what: string, from: number, end: number) =>
    allowance.begin(what, 0)?.(0, [{ from, end }], 10);
  assert.equal(give('a', 0, 5), false);
  assert.equal(give('b', 5, 10), false);
  assert.equal(give('a', 5, 10), true);
  assert.equal(give('a', 0, 10), true);
  assert.equal(allowance.begin('e', 0)?.(0, [], 0), true, 'an empty file');
});

test('nothing is begun after the time', () => {
  const allowance = new Allowance({ expires: 100 });
  assert.equal(allowance.over(99), false);
  assert.equal(allowance.over(100), true);
});
