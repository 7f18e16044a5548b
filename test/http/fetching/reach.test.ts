/** Where a fetch may lead, and where not. */
import assert from 'node:assert/strict';
import type { LookupAddress } from 'node:dns';
import { test } from 'node:test';
import type { BeelineError } from '../../../src/base/errors.ts';
import { Reach } from '../../../src/http/fetching/reach.ts';
import { placeOf, shownUrl } from '../../../src/http/fetching/url.ts';
import { fetchInto, folder, serve } from './servers.ts';

/** A name server with these answers, one after the other. */
function lookupOf(...answers: string[][]) {
  let turn = 0;
  const lookup = (_: string, __: object, callback: (error: null, found: LookupAddress[]) => void) => {
    const found = answers[Math.min(turn++, answers.length - 1)]!;
    callback(
      null,
      found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  return lookup as never;
}

function resolve(reach: Reach, host: string): Promise<string[]> {
  return new Promise((done, fail) => {
    reach.lookup(host, { all: true }, (error, found) => {
      if (error) fail(error);
      else done((found as LookupAddress[]).map(({ address }) => address));
    });
  });
}

const inside = (error: BeelineError) => error.reason === 'HTTP_LEADS_INSIDE';

test('a name that the person did not give leads to public addresses alone', async () => {
  const addresses = [
    '127.0.0.1',
    '10.1.2.3',
    '169.254.169.254',
    '::1',
    'fd00::1',
    'fe80::1',
    '0.0.0.0',
    '64:ff9b::a00:1',
    '::ffff:192.168.0.1',
  ];
  for (const address of addresses) {
    const reach = new Reach({ named: ['public.example'], allowPrivate: false, lookup: lookupOf([address]) });
    await assert.rejects(resolve(reach, 'evil.example'), inside, address);
    if (!address.startsWith('::ffff'))
      assert.throws(() => reach.checkHost(address.includes(':') ? `[${address}]` : address), inside, address);
    const allowed = new Reach({ named: [], allowPrivate: true, lookup: lookupOf([address]) });
    assert.deepEqual(await resolve(allowed, 'evil.example'), [address]);
  }
  const reach = new Reach({ named: [], allowPrivate: false, lookup: lookupOf(['192.0.2.7', '10.0.0.1']) });
  assert.deepEqual(await resolve(reach, 'both.example'), ['192.0.2.7']);
});

test('protects from: DNS rebinding: a named host that was public has no private address later', async () => {
  const reach = new Reach({
    named: ['public.example'],
    allowPrivate: false,
    lookup: lookupOf(['8.8.8.8'], ['127.0.0.1'], ['10.0.0.1', '8.8.4.4']),
  });
  assert.deepEqual(await resolve(reach, 'public.example'), ['8.8.8.8']);
  await assert.rejects(resolve(reach, 'public.example'), inside);
  assert.deepEqual(await resolve(reach, 'public.example'), ['8.8.4.4']);
});

test('a named host may be private, as the person knows', async () => {
  const reach = new Reach({
    named: ['nas.local', '[::1]'],
    allowPrivate: false,
    lookup: lookupOf(['192.168.1.4']),
  });
  assert.deepEqual(await resolve(reach, 'nas.local'), ['192.168.1.4']);
  reach.checkHost('[::1]');
  assert.throws(() => reach.checkHost('[::2]'.replace('2', 'ffff:127.0.0.1')), inside);
});

test('a redirect into this machine, by an address that the URL does not name, is not followed', async (t) => {
  const to = folder(t);
  const target = await serve(t);
  const { url } = await serve(t, (_, response) => {
    response.writeHead(302, { location: target.url.replace('127.0.0.1', '127.0.0.2') });
    response.end();
  });
  await assert.rejects(fetchInto(t, to, url).transfer.done, inside);
  assert.equal(target.requests.length, 0);
});

test('what a person types as a URL', () => {
  for (const bad of [
    'ftp://a/b',
    'https://',
    'nothing',
    `https://a/${'x'.repeat(9000)}`,
    'https://%zz:a@b/c',
  ])
    assert.throws(
      () => placeOf(bad),
      (error: BeelineError) => error.reason === 'URL_UNFIT',
      bad,
    );
  const { url, authorization } = placeOf('https://me:p%20w@example.org/a?signature=secret#part');
  assert.equal(url.href, 'https://example.org/a?signature=secret');
  assert.equal(authorization, `Basic ${Buffer.from('me:p w').toString('base64')}`);
  assert.equal(shownUrl(url), 'https://example.org/a?...');
  const secret = 'Zm9vYmFyYmF6cXV4MTIzNA';
  for (const [given, shown] of [
    [`http://192.168.1.7:4848/${secret}/a/b.iso`, 'http://192.168.1.7:4848/.../a/b.iso'],
    [`http://[fd00::7]:4848/${secret}?zip`, 'http://[fd00::7]:4848/...?...'],
    [`https://example.org/${'a'.repeat(300)}`, `https://example.org/${'a'.repeat(180)}...`],
  ] as const) {
    assert.equal(shownUrl(new URL(given)), shown);
    // What was shown, copied: it would lead to something else.
    assert.throws(
      () => placeOf(shown),
      (error: BeelineError) => error.reason === 'URL_UNFIT',
      shown,
    );
  }
  assert.throws(() => placeOf('https://example.org/a?...'), /give all of it/);
  for (const fine of [
    'https://example.org/a...',
    'https://example.org/a?b?...',
    'https://example.org/a?....',
  ])
    assert.equal(placeOf(fine).url.href, fine);
  for (const wrong of [`ftp://example.org/${secret}/a`, `https://%zz:a@example.org/${secret}?zip`])
    assert.throws(
      () => placeOf(wrong),
      (error: Error) => !error.message.includes(secret),
      wrong,
    );
  assert.throws(
    () => placeOf('ftp://me:s3cret@example.org/'),
    (error: Error) => !error.message.includes('s3cret'),
  );
});
