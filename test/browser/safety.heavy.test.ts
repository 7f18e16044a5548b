/** What a hostile sender, an injected script or a curious server would like of the page, and does not get. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { closeBrowser, launch } from './harness/browsers.ts';
import { readNetLog } from './harness/net-log.ts';
import type { BeelinePage } from './harness/page.ts';
import { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';
import { makeMixedFolder } from './harness/tree.ts';

/** On any system but Windows these are names; a page, which saves to any system, gives them others. */
const MARKUP = '<img src=x onerror="document.title=1">';
const SCRIPT = '"><script>document.title=1<&gt;.txt';
const ENTITIES = '&lt;img src=x onerror=document.title=1&gt;&#x202e;{{7-7}}.txt';
const BIDI = 'photo\u202Egnp.exe';
const INVISIBLE = 'a\u200Bb\u2066c\u{E0041}.txt';
const LONG = `${'W'.repeat(250)}.txt`;
const RECEIVED = [ENTITIES, BIDI, INVISIBLE, LONG];

/** Nothing of a name has become an element, an invisible character, or wider than the window. */
const HARMLESS = `(() => {
  const main = document.querySelector('main');
  const wide = document.documentElement.scrollWidth > document.documentElement.clientWidth;
  return JSON.stringify({
    elements: main.querySelectorAll('img, script, iframe, [onerror]').length,
    invisible: /[\\u200b-\\u200f\\u202a-\\u202e\\u2060-\\u206f]/.test(main.textContent + document.title),
    wide,
    title: document.title === '1',
  });
})()`;
const NOTHING = JSON.stringify({ elements: 0, invisible: false, wide: false, title: false });

/** Looks at the page again and again, and at the names of current files that it shows. */
async function harmlessUntilCompleted(page: BeelinePage): Promise<void> {
  const seen = new Set<string>();
  await page.when(
    async () => {
      seen.add(await page.text('#file-now'));
      assert.equal(await page.ask(HARMLESS), NOTHING);
      return (await page.state()) === 'completed';
    },
    () => 'end',
  );
  assert.ok([...seen].join('').length > 0, 'the current file was shown');
}

inBrowser('chromium', 'safety', ({ test }) => {
  test('hostile file names are text in every state: offered, received, and kept', async (stage) => {
    const { work } = stage;
    for (const name of RECEIVED) makeFile(work.path(name), 2_000_000);
    const { sender, code } = await stage.sends([
      ...RECEIVED.map((name) => work.path(name)),
      ...['--limit', '1M'],
    ]);
    const page = await stage.page();
    await page.asks(code);
    const offered = await page.text('#offer-names');
    for (const shown of [ENTITIES, 'photo\\u{202e}gnp.exe', 'a\\u{200b}b\\u{2066}c\\u{e0041}.txt', LONG])
      assert.ok(offered.includes(shown), `${shown} in ${offered}`);
    assert.equal(await page.ask(HARMLESS), NOTHING);
    await page.page.setViewport({ width: 320, height: 640 });
    assert.equal(await page.ask(HARMLESS), NOTHING);
    await page.press('Receive');
    await page.reaches('transferring');
    await harmlessUntilCompleted(page);
    await sender.ends(0);
    await page.page.reload();
    await page.reaches('home');
    await page.shows("document.querySelector('main').innerText.includes('Unfinished and unsaved')");
    assert.equal(await page.ask(HARMLESS), NOTHING);
    await page.press('Delete');
  });

  test('names of markup are text while they are sent', async (stage) => {
    const { work } = stage;
    const names = [MARKUP, SCRIPT, ...RECEIVED];
    for (const name of names) makeFile(work.path(name), 2_000_000);
    const page = await stage.page();
    await page.page.setViewport({ width: 320, height: 640 });
    await page.choose(...names.map((name) => work.path(name)));
    const receiver = await stage.receives(await page.code(), work.folder('out'), ['--limit', '1500K']);
    await page.reaches('transferring');
    await harmlessUntilCompleted(page);
    await receiver.ends(0);
    for (const name of names) sameFile(work.path(name), work.path('out', name));
  });

  test('names of markup are received, and text in the words about their new names', async (stage) => {
    const { work } = stage;
    for (const name of [MARKUP, SCRIPT]) makeFile(work.path(name), 1_000);
    const { sender, code } = await stage.sends([work.path(MARKUP), work.path(SCRIPT)]);
    const page = await stage.page();
    await page.page.setViewport({ width: 320, height: 640 });
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    const text = await page.text('main');
    for (const name of [MARKUP, SCRIPT])
      assert.ok(text.includes(`'${name}' will be saved as '${name.replaceAll(/[<>"|?*:\\]/g, '_')}'`), text);
    assert.equal(await page.ask(HARMLESS), NOTHING);
  });

  test('a name with control characters never becomes a file of that name, and is shown escaped', async (stage) => {
    const { work } = stage;
    writeFileSync(work.path('bell\u0007\u001b[31m.txt'), 'x');
    const page = await stage.page();
    await page.choose(work.path('bell\u0007\u001b[31m.txt'));
    const state = await page.reaches(['failed', 'waiting', 'home']);
    if (state === 'waiting') {
      const receiver = await stage.receives(await page.code(), work.folder('out'));
      assert.notEqual((await receiver.exited).status, 0);
      await page.reaches('failed');
    }
    await page.says(/\\u\{7\}\\u\{1b\}\[31m|control character/);
  });

  test('a text with markup and escapes is shown, and nothing of it is obeyed', async (stage) => {
    const { sender, code } = await stage.sends([
      '--text',
      `${MARKUP}<script>document.title=1</script>\u202E`,
    ]);
    const page = await stage.page();
    await page.receive(code);
    await page.reaches('completed');
    await sender.ends(0);
    await page.says(/<script>document\.title=1<\/script>/);
    assert.equal(await page.ask("document.querySelector('main').querySelectorAll('img, script').length"), 0);
    assert.notEqual(await page.ask('document.title'), '1');
  });

  test('what an injected script would do is kept back by the policies', async (stage) => {
    stage.expected = /./;
    const page = await stage.page();
    const attempts = {
      'markup by innerHTML': "document.body.innerHTML = '<b>x</b>'; 'done'",
      'code from a text': "(() => { try { return window.eval('1') } catch (error) { return error.name } })()",
      'a script from elsewhere': `new Promise((resolve) => {
        const script = document.createElement('script');
        try { script.src = 'https://third.example/x.js'; } catch (error) { resolve(error.name); }
        script.onload = () => resolve('done'); script.onerror = () => resolve('blocked');
        document.body.append(script); })`,
      'an inline script': `(() => { const script = document.createElement('script');
        try { script.textContent = 'globalThis.ran = true'; document.body.append(script); } catch (error) {}
        return globalThis.ran ? 'done' : 'blocked'; })()`,
      'a request elsewhere': "fetch('https://third.example/').then(() => 'done', (error) => error.name)",
      'a frame': `new Promise((resolve) => { const frame = document.createElement('iframe');
        addEventListener('securitypolicyviolation', () => resolve('blocked'), { once: true });
        frame.onload = () => setTimeout(resolve, 500, 'done');
        frame.src = 'https://third.example/'; document.body.append(frame); })`,
    };
    for (const [what, attempt] of Object.entries(attempts)) {
      const outcome = await page.ask<string>(attempt).catch((error: Error) => error.message);
      assert.notEqual(outcome, 'done', what);
    }
    const response = await page.page.goto(`${page.origin}/`);
    const headers = response!.headers();
    const policy = headers['content-security-policy'] ?? '';
    assert.doesNotMatch(policy, /unsafe-inline|unsafe-eval|\*(?![^;]*:)/);
    assert.match(policy, /require-trusted-types-for 'script'/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(headers['referrer-policy'], 'no-referrer');
    assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  });

  test('no request goes to anybody else, and no code is in any URL', async (outer) => {
    // A browser of its own: its log is whole only once it has closed.
    const folder = outer.work.folder('browser');
    const log = outer.work.path('net-log.json');
    const browser = await launch('chromium', { folder, args: [`--log-net-log=${log}`] });
    const stage = new Stage(browser, folder, 'chromium');
    const codes: string[] = [];
    let origin = '';
    try {
      const { work } = stage;
      makeMixedFolder(work.path('mixed'));
      const { sender, code } = await stage.sends([work.path('mixed'), '--code', '7-salamander-xylophone']);
      const page = await stage.page({ code });
      origin = page.origin;
      await page.look();
      await page.reaches('offer');
      await page.press('Receive');
      await page.reaches('completed');
      await sender.ends(0);
      await stage.downloads(() => page.press('Save'));
      await page.again();
      await page.sendText('a text');
      const own = await page.code();
      const to = await stage.page({ code: own });
      await to.look();
      await to.reaches(['offer', 'completed']);
      if ((await to.state()) === 'offer') await to.press('Receive');
      await to.reaches('completed');
      codes.push(code, own);
      await stage.clean();
      assert.ok(
        page.watch.urls.some((url) => url.startsWith('ws')),
        'WebSockets are seen',
      );
      for (const { watch } of [page, to])
        for (const url of watch.urls.filter((url) => !url.startsWith('blob:')))
          assert.equal(new URL(url).host, new URL(origin).host, url);
    } finally {
      await stage.dispose();
      await closeBrowser(browser);
    }
    const asked = readNetLog(log);
    assert.ok(asked.length > 3, 'requests were logged');
    for (const { url: whole, initiator } of asked) {
      // The log has the fragment of what was opened; RFC 9110, 7.1: it does not leave the browser.
      const [url] = whole.split('#') as [string];
      for (const code of codes) {
        const secret = code.slice(code.indexOf('-') + 1);
        assert.ok(!url.includes(secret), `a code is in ${url}`);
      }
      // Not each word of any code: a browser asks its maker for the `current` time.
      assert.doesNotMatch(url, /salamander|xylophone/);
      if (initiator.startsWith(origin)) assert.equal(new URL(url).host, new URL(origin).host, url);
    }
  });
});

inBrowser(
  'chromium',
  'safety, not by TLS',
  ({ test }) => {
    test('an insecure context shows what to do, and nothing else', async (stage) => {
      // Chromium says so of every such page.
      stage.expected = /Cross-Origin-Opener-Policy header has been ignored/;
      const { port } = await stage.site();
      const page = await stage.tab(`http://beeline.test:${port}`);
      await page.page.goto(page.origin);
      assert.equal(await page.ask('isSecureContext'), false);
      await page.shows('/https/i.test(document.body.innerText)');
      const controls = "document.querySelectorAll('button, input, textarea, select, form').length";
      assert.equal(await page.ask(controls), 0);
    });
  },
  { args: ['--host-resolver-rules=MAP beeline.test 127.0.0.1'] },
);
