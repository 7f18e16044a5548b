/** Links to what is no file: a folder of `beeline serve` comes as a ZIP, and no page without a name is taken for a file. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import type { BeelineError } from '../../../src/base/errors.ts';
import { served, folder as servedFolder } from '../serving/served.ts';
import { answer, content, fetchInto, folder, names, serve } from './servers.ts';

test('a served folder, one within it and several paths come as a ZIP each; a file in it as itself', async (t) => {
  const from = servedFolder(t);
  mkdirSync(join(from, 'holiday', 'day 1'), { recursive: true });
  writeFileSync(join(from, 'holiday', 'day 1', 'a.jpg'), content(1));
  writeFileSync(join(from, 'notes.txt'), 'notes');
  const one = (await served(t, [join(from, 'holiday')], { access: 'link' })).serving.urls[0]!;
  const two = (await served(t, [join(from, 'holiday'), join(from, 'notes.txt')])).serving.urls[0]!;
  for (const [link, name] of [
    [one, 'holiday.zip'],
    [`${one}?sort=-size`, 'holiday.zip'],
    [`${one}day%201/`, 'day 1.zip'],
    [`${one}day%201`, 'day 1.zip'],
    [two, 'files.zip'],
    [`${one}day%201/a.jpg`, 'a.jpg'],
  ] as const) {
    const to = folder(t);
    await fetchInto(t, to, link).transfer.done;
    assert.deepEqual(names(to), [name], link);
    const bytes = readFileSync(join(to, name));
    if (name === 'a.jpg') assert.deepEqual(bytes, content(1));
    else {
      const zip = new URL('?zip', link.endsWith('day%201') ? `${link}/` : link);
      assert.deepEqual(bytes, Buffer.from(await (await fetch(zip)).arrayBuffer()), link);
    }
  }
});

test('any other page is a file as every file, wherever its links lead', async (t) => {
  const to = folder(t);
  const html = { 'content-type': 'text/html; charset=utf-8' };
  const zip = 'rel="alternate"; type="application/zip"';
  const pages: Record<string, Record<string, string>> = {
    none: html,
    elsewhere: { ...html, link: `<http://127.0.0.2:1/x.zip>; ${zip}` },
    other: { ...html, link: '<?zip>; rel="next"; type="application/zip", <?zip>; rel="alternate"' },
    malformed: { ...html, link: `<http://[>; ${zip}, >;<` },
    plain: { 'content-type': 'text/plain', link: `<?zip>; ${zip}` },
    named: { ...html, link: `<?zip>; ${zip}` },
  };
  const { url, requests } = await serve(t, (request, response) =>
    answer(request, response, { headers: pages[request.url!.split('/').at(-1)!]!, ranges: false }),
  );
  for (const page of Object.keys(pages)) {
    await fetchInto(t, to, new URL(page, url).href).transfer.done;
    assert.deepEqual(readFileSync(join(to, page)), content(1), page);
  }
  assert.equal(requests.length, Object.keys(pages).length);
});

test('a folder leads to its own ZIP only', async (t) => {
  const to = folder(t);
  const targets = ['other/?zip', '../?zip', 'x.zip', '?tar', '?zip&x', '', '//127.0.0.2:1/0/?zip'];
  const { url, requests } = await serve(t, (request, response) => {
    const target = targets[Number(request.url!.split('/')[1])]!;
    const link = `<${target}>; rel="alternate"; type="application/zip"`;
    answer(request, response, { headers: { 'content-type': 'text/html', link }, ranges: false });
  });
  for (const at of targets.keys())
    await fetchInto(t, to, { url: new URL(`/${at}/`, url).href, name: `${at}` }).transfer.done;
  assert.deepEqual(
    requests.map(({ url }) => url),
    Array.from(targets.keys(), (at) => `/${at}/`),
  );
});

test('a page that nothing names is no file, unless it is given a name or goes where it needs none', async (t) => {
  const to = folder(t);
  const html = { 'content-type': 'text/html; charset=utf-8' };
  const { url } = await serve(t, (request, response) =>
    answer(request, response, {
      headers: request.url!.includes('text') ? { 'content-type': 'text/plain' } : html,
    }),
  );
  const at = (path: string) => new URL(path, url).href;
  for (const what of [at('/'), at('/deep/?x=1'), [at('/file'), at('/')]])
    await assert.rejects(fetchInto(t, to, what).transfer.done, (error: BeelineError) => {
      assert.deepEqual([error.code, error.reason], ['USAGE', 'HTTP_PAGE']);
      return true;
    });
  assert.deepEqual(names(to), []);
  await fetchInto(t, to, { url: at('/'), name: 'index.html' }).transfer.done;
  await fetchInto(t, to, at('/text/')).transfer.done;
  await fetchInto(t, to, at('/page')).transfer.done;
  assert.deepEqual(names(to).sort(), ['download', 'index.html', 'page']);
  const stdout = new PassThrough().resume();
  await fetchInto(t, to, at('/'), { to: '-', stdout }).transfer.done;
});

test('credentials go along to the ZIP; pages that lead from one to the next are not followed for long', async (t) => {
  const to = folder(t);
  const { url, requests } = await serve(t, (request, response) => {
    const last = request.url!.endsWith('?zip') && request.url!.startsWith('/ends');
    const headers = { 'content-type': 'text/html', link: '<?zip>; rel=alternate; type="application/zip"' };
    answer(request, response, last ? {} : { headers, ranges: false });
  });
  const at = new URL('/ends/', url);
  at.username = 'me';
  at.password = 'hunter2';
  await fetchInto(t, to, at.href).transfer.done;
  assert.deepEqual(readFileSync(join(to, 'download')), content(1));
  const [page, archive] = requests;
  assert.equal(archive!.url, '/ends/?zip');
  assert.equal(archive!.headers.authorization, page!.headers.authorization);
  await assert.rejects(
    fetchInto(t, to, new URL('/', url).href).transfer.done,
    (error: BeelineError) => error.reason === 'HTTP_REDIRECTS',
  );
  assert.ok(requests.length < 20, `${requests.length} requests`);
});
