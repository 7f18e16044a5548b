#!/usr/bin/env node
/**
 * Pictures of every state of the page, on a mock of the other side (test/web/mock-browser.ts): `node scripts/screenshots.mjs [FOLDER]
 * [--language=de] [NAME…]`. With `build/screenshots` and no name it writes all of them, at 1280 and 390 pixels, in light and in dark, to be
 * looked at. A state is reached in English, and then the language is chosen. Those of docs/browser.md are in `docs/images`, where only what that names is written.
 */
import { mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { tsImport } from 'tsx/esm/api';

const { mockPage, play } = await tsImport('../test/web/mock-page.ts', import.meta.url);

const LANGUAGE = /^--language=(\w+)$/;
const given = process.argv.slice(2);
const language = given.map((word) => LANGUAGE.exec(word)?.[1]).find(Boolean);
const [FOLDER = 'docs/images', ...ONLY] = given.filter((word) => !LANGUAGE.test(word));
const FOR_DOCUMENTS = FOLDER === 'docs/images';
const SIZES = { 1280: { width: 1280, height: 800 }, 390: { width: 390, height: 844 } };
/** Bytes that one picture of the documents may have. */
const MOST = 90_000;

const T = 'mock.transfer';
const CODE = '7-velvet-canyon';
const ROOT = '9f86d081884c7d65'.repeat(4);
const PRINT = '3fa91c07d2e46b85'.repeat(4);
const AGENT = 'beeline/0.1.0 (Chrome on Android)';
const PEER = `{ event: 'peer', fingerprint: '${PRINT}', agent: '${AGENT}' }`;
const NAMES = ['Holiday pictures/', 'Boarding passes.pdf', 'Sunset at the lake.jpg', 'Film of the hike.mp4'];
const MANIFEST = (files, bytes) =>
  `{ event: 'manifest', kind: 'files', files: ${files}, folders: 1, links: 0, bytes: ${bytes}, chunkSize: 1 }`;
const OFFER = (names = NAMES, sizes = [812e6, 2.4e6, 6.1e6, 1.42e9]) =>
  `{ files: 131, folders: 1, links: 0, bytes: 2.24e9, kind: 'files', update: false, names: ${JSON.stringify(names)},
    sizes: ${JSON.stringify(sizes)}, peer: { fingerprint: '${PRINT}' } }`;
/** Rates as they are in a wireless network: they rise, and then go up and down. */
const PROGRESS = (share, file, more = '') =>
  `Array.from({ length: 70 }, (_, at) => ({ event: 'progress', bytes: ${share} * 2.24e9 * ((at + 1) / 70), total: 2.24e9,
    rate: 24e6 * (1 - Math.exp(-at / 8)) + 3e6 * Math.sin(at * 1.7) + 2e6 * Math.sin(at * 0.6),
    eta: (1 - ${share}) * 2.24e9 / 24e6, files: 84, by: { webrtc: 24e6 }, file: '${file}', fileSize: 1.42e9,
    fileBytes: 5.3e8${more} }))`;
const DONE = `{ event: 'done', files: 131, bytes: 2.24e9, resumed: 0, seconds: 93, root: '${ROOT}' }`;
const LANE = `{ event: 'lane', id: 1, kind: 'webrtc', local: 'a', remote: 'b', status: 'open' }`;

/** Pictures that are drawn here, as files. */
const PICTURES = `(async () => {
  const draw = async (name, from, to, sun) => {
    const canvas = new OffscreenCanvas(640, 480);
    const pen = canvas.getContext('2d');
    const sky = pen.createLinearGradient(0, 0, 0, 480);
    sky.addColorStop(0, from);
    sky.addColorStop(1, to);
    pen.fillStyle = sky;
    pen.fillRect(0, 0, 640, 480);
    pen.fillStyle = sun;
    pen.beginPath();
    pen.arc(330, 200, 70, 0, 7);
    pen.fill();
    pen.fillStyle = '#2b3a33';
    pen.beginPath();
    pen.moveTo(0, 480);
    pen.lineTo(0, 360);
    pen.lineTo(210, 230);
    pen.lineTo(380, 380);
    pen.lineTo(520, 290);
    pen.lineTo(640, 400);
    pen.lineTo(640, 480);
    pen.fill();
    return new File([await canvas.convertToBlob({ type: 'image/jpeg' })], name, { type: 'image/jpeg' });
  };
  globalThis.pictures = [
    await draw('Sunset at the lake.jpg', '#f08a5d', '#f9d689', '#fff3cf'),
    await draw('Morning.jpg', '#8fc1e3', '#e8f3f8', '#ffffff'),
    await draw('Hut at night.jpg', '#1b1f3b', '#53599a', '#f5f0c8'),
  ];
  const data = new DataTransfer();
  for (const file of pictures) data.items.add(file);
  data.items.add(new File([new Uint8Array(2_400_000)], 'Boarding passes.pdf'));
  data.items.add(new File([new Uint8Array(61_000_000)], 'Film of the hike.mp4'));
  return data;
})()`;

const press = (page, name) =>
  page.locator(`::-p-aria([name="${name}"][role="button"])`).setTimeout(15_000).click();

async function stage(page) {
  await play(
    page,
    `${PICTURES}.then((data) => dispatchEvent(new ClipboardEvent('paste', { clipboardData: data })))`,
  );
  await page.waitForSelector('#staged canvas:not([hidden])');
  await page.waitForFunction("document.querySelectorAll('#staged canvas:not([hidden])').length === 3");
}

async function wait(page) {
  await stage(page);
  await press(page, 'Send');
  await play(
    page,
    `(${T}.move('connecting'), ${T}.emit(${MANIFEST(5, 63.5e6)}, { event: 'code', code: '${CODE}' }))`,
  );
}

async function meet(page) {
  await page.locator('#code-to-receive').fill(CODE);
  await press(page, 'Receive');
  await play(page, `(${T}.move('connecting'), ${T}.emit(${PEER}))`);
}

async function offer(page, what = OFFER()) {
  await meet(page);
  await play(
    page,
    `(${T}.move('transferring'), ${T}.emit(${MANIFEST(131, 2.24e9)}), mock.accept(${what}), 0)`,
  );
}

async function run(page, share = 0.42) {
  await offer(page);
  await press(page, 'Receive');
  await play(page, `${T}.emit(${LANE}, ...${PROGRESS(share, 'Film of the hike.mp4')})`);
}

async function complete(page) {
  await run(page, 1);
  await play(page, PICTURES);
  await play(
    page,
    `(() => {
      const kept = mock.keep('Holiday pictures', [6.1e6, 2.4e6, 4.4e6]);
      kept.folders = ['Holiday pictures'];
      kept.files = pictures.map((file) => ({ path: file.name, size: file.size * 90, blob: async () => file }));
      kept.files.push({ path: 'Boarding passes.pdf', size: 2.4e6, blob: async () => new Blob([]) });
      for (let i = 0; i < 128; i++) kept.files.push({ path: 'Holiday pictures/' + i, size: 6.3e6, blob: async () => new Blob([]) });
      ${T}.finish(${DONE}, kept);
    })()`,
  );
  await page.waitForSelector('#arrived');
}

const come = (peer, agent) =>
  `{ event: 'peer', peer: ${peer}, fingerprint: '${PRINT.slice(peer)}${PRINT.slice(0, peer)}', agent: '${agent}' },
   { event: 'state', peer: ${peer}, from: 'idle', to: 'transferring' }`;

/** Devices that this browser trusts, as after an earlier visit. */
async function knows(page) {
  const device = (name, kind, days) =>
    `{ id: "${name}", name: "${name}", kind: '${kind}', key: '${PRINT}', at: Date.now() - ${days} * 864e5 }`;
  await play(
    page,
    `(mock.devices = [${device("Anna's phone", 'phone', 0)}, ${device('Desk', 'computer', 3)}, ${device('Server at work', 'terminal', 20)}],
      new BroadcastChannel('beeline-devices').postMessage(''), 0)`,
  );
  await page.waitForSelector('.tile');
}

/** Shows this device, and has others shown to it; with another's call, if one is wanted. */
async function near(page, call = false) {
  await page.waitForSelector('#near');
  await page.locator('#near-name').fill('My laptop');
  await press(page, 'Show this device');
  await page.waitForFunction('mock.near !== undefined');
  const devices = ["Ben's phone", 'Meeting room 2', 'Chrome on Android'].map((name, at) => ({
    id: String(at),
    name,
  }));
  await play(page, `mock.near.nearby(${JSON.stringify(devices)})`);
  if (call) await play(page, `mock.near.called(${JSON.stringify(devices[0])}, '7')`);
}

/** What one visit keeps is not the next picture's. */
const unseen = (page) => page.evaluate("localStorage.removeItem('beeline-near')");

/** Each brings a fresh page to its state. */
const STATES = {
  home: async () => {},
  text: async (page) => {
    await page.locator('#tab-text').click();
    await page.locator('#text-to-send').fill('The Wi-Fi password is correct-horse-battery-staple');
  },
  mistyped: async (page) => {
    await page.locator('#code-to-receive').fill('7 alpah zoo');
    await press(page, 'Receive');
    await page.waitForSelector('::-p-aria([name="Use 7-alpha-zoo"])');
  },
  kept: async (page) => {
    await play(
      page,
      "(mock.keep('Holiday pictures', [5e8, 3e8, 2e8], 42e7), mock.keep('report.pdf', [2e6]), 0)",
    );
    await page.evaluate("dispatchEvent(new Event('hashchange'))");
    await page.waitForSelector('.kept');
  },
  known: async (page) => {
    await knows(page);
    await page.$eval('.tiles', (tiles) => tiles.scrollIntoView({ block: 'center' }));
  },
  'staging-known': async (page) => {
    await knows(page);
    await stage(page);
  },
  'waiting-known': async (page) => {
    await knows(page);
    await stage(page);
    await press(page, "Send to Anna's phone");
    await play(page, `(${T}.move('connecting'), ${T}.emit(${MANIFEST(5, 63.5e6)}))`);
  },
  near: async (page) => {
    await near(page);
    await page.$eval('#near', (title) => title.scrollIntoView({ block: 'center' }));
    await unseen(page);
  },
  'near-off': async (page) => {
    await page.waitForSelector('#near');
    await page.$eval('#near', (title) => title.scrollIntoView({ block: 'start' }));
  },
  'near-call': async (page) => {
    await near(page, true);
    await page.evaluate('scrollTo(0, 0)');
    await unseen(page);
  },
  'near-staging': async (page) => {
    await near(page);
    await stage(page);
    await unseen(page);
  },
  'near-waiting': async (page) => {
    await near(page);
    await stage(page);
    await press(page, "Send to Ben's phone, nearby, not known");
    await play(
      page,
      `(${T}.move('connecting'), ${T}.emit(${MANIFEST(5, 63.5e6)}, { event: 'code', code: '${CODE}' }))`,
    );
    await unseen(page);
  },
  link: async () => {},
  'receiving-only': async () => {},
  insecure: async () => {},
  staging: stage,
  waiting: wait,
  'server-away': async (page) => {
    await wait(page);
    await play(page, `${T}.emit({ event: 'server', reachable: false, message: 'x' })`);
  },
  meeting: meet,
  offer,
  'offer-many': (page) =>
    offer(
      page,
      OFFER(
        Array.from({ length: 20 }, (_, at) => `Recording of the meeting, part ${at + 1}.m4a`),
        Array.from({ length: 20 }, (_, at) => 1e7 * (at + 1)),
      ),
    ),
  transferring: run,
  sending: async (page) => {
    await wait(page);
    await play(
      page,
      `(${T}.emit(${PEER}), ${T}.move('transferring'), ${T}.emit({ ...${LANE}, kind: 'relay', relayed: true },
        ...${PROGRESS(0.68, 'Film of the hike.mp4')}.map((event) => ({ ...event, by: { relay: 24e6 }, total: 63.5e6, files: 3,
          bytes: event.bytes * 63.5e6 / 2.24e9, eta: 9 }))))`,
    );
  },
  several: async (page) => {
    await stage(page);
    await page.select('#people', '3');
    await press(page, 'Send');
    await play(
      page,
      `(${T}.emit(${MANIFEST(5, 2.24e9)}, { event: 'code', code: '7-velvet-canyon-lamp' },
        ${come(1, AGENT)}, ...${PROGRESS(0.63, 'Film of the hike.mp4', ', peer: 1')},
        ${come(2, 'beeline/0.1.0')}, ...${PROGRESS(0.18, 'Film of the hike.mp4', ', peer: 2')}), 0)`,
    );
    await page.waitForSelector('.rows progress');
  },
  paused: async (page) => {
    await run(page);
    await press(page, 'Pause');
  },
  again: async (page) => {
    await run(page);
    await play(page, `${T}.move('connecting')`);
  },
  received: complete,
  'received-text': async (page) => {
    await meet(page);
    await play(
      page,
      `(${T}.move('transferring'), ${T}.emit({ event: 'manifest', kind: 'text', files: 1, folders: 0, links: 0, bytes: 50, chunkSize: 1 },
        { event: 'text', text: 'The Wi-Fi password is correct-horse-battery-staple' }),
        ${T}.finish({ ...${DONE}, files: 1, bytes: 50, seconds: 1 }))`,
    );
  },
  sent: async (page) => {
    await wait(page);
    await play(
      page,
      `(${T}.emit(${PEER}), ${T}.move('transferring'), ${T}.finish({ ...${DONE}, files: 5, bytes: 63.5e6, seconds: 4 }))`,
    );
  },
  remember: async (page) => {
    await wait(page);
    await play(
      page,
      `(${T}.emit({ ...${PEER}, key: 'bl1key' }), ${T}.move('transferring'), ${T}.finish({ ...${DONE}, files: 5, bytes: 63.5e6, seconds: 4 }))`,
    );
    await page.waitForSelector('.remember');
  },
  saving: async (page) => {
    await complete(page);
    await page.evaluate("showDirectoryPicker = async () => ({ name: 'Pictures' })");
    await press(page, 'Save to a folder');
    await play(page, 'mock.saved.progress(5e6)');
  },
  warnings: async (page) => {
    await run(page);
    const warning = "event: 'warning', code: 'UNSAFE_NAME', message: 'A sentence of the engine.'";
    await play(
      page,
      `${T}.emit({ ${warning}, reason: 'LINKS_MISSING', values: { count: 3 }, path: 'Holiday pictures/latest' },
        { ${warning}, reason: 'NAME_FITTED_FOR_ALL', values: { as: 'What_.txt' }, path: 'Holiday pictures/What?.txt' },
        { ${warning}, reason: 'MORE_ENTRIES', values: { count: 1240, like: 'NAME_FITTED_FOR_ALL' } },
        { ${warning}, reason: 'CHANGED_THERE', path: 'Holiday pictures/a-name-that-is-so-long-that-it-has-no-room-in-one-line-of-a-phone.jpg' },
        { ${warning}, reason: 'OF_TOMORROW', path: 'Sunset at the lake.jpg' })`,
    );
  },
  full: async (page) => {
    await run(page);
    await play(
      page,
      `${T}.emit({ event: 'state', from: 'transferring', to: 'paused', by: 'self', code: 'DISK_FULL' })`,
    );
  },
  'left-again': async (page) => {
    await wait(page);
    await play(
      page,
      `${T}.emit({ event: 'state', from: 'authenticating', to: 'connecting', by: 'peer', code: 'INTERRUPTED', reason: 'x' })`,
    );
  },
  guessed: async (page) => {
    await stage(page);
    await page.select('#people', '3');
    await press(page, 'Send');
    const warning = "event: 'warning', code: 'WRONG_CODE', message: 'x'";
    await play(
      page,
      `(${T}.emit(${MANIFEST(5, 2.24e9)}, { event: 'code', code: '7-velvet-canyon-lamp' },
        { ${warning}, reason: 'CODE_GUESSED', values: { tries: 2, most: 3 } },
        { ${warning}, reason: 'CODE_GUESSED_OUT' }, { ${warning}, reason: 'PLACE_LOST' }), 0)`,
    );
  },
  'failed-code': async (page) => {
    await meet(page);
    await play(
      page,
      `${T}.fail('WRONG_CODE', 'The code was wrong, and is burned: nobody can try it again.')`,
    );
  },
  'failed-path': async (page) => {
    await run(page);
    await play(
      page,
      `${T}.fail('NO_PATH', 'The connection was lost, and the other side did not come back within an hour.')`,
    );
  },
  stopped: async (page) => {
    await run(page);
    await press(page, 'Stop for now');
    await play(page, `${T}.fail('INTERRUPTED', 'Interrupted here.')`);
  },
  cancelled: async (page) => {
    await wait(page);
    await press(page, 'Cancel');
  },
  'home-de': async (page) => page.select('#language', 'de'),
  'home-zh': async (page) => page.select('#language', 'zh'),
};
const ADDRESSES = { link: `/#${CODE}`, 'receiving-only': '/receiving' };

/** What docs/browser.md shows of them. */
const SHOWN = {
  1280: ['home', 'link', 'staging', 'waiting', 'offer', 'transferring', 'several', 'received', 'failed-code'],
  390: [
    'home',
    'waiting',
    'offer',
    'transferring',
    'paused',
    'again',
    'received',
    'sent',
    'known',
    'staging-known',
    'waiting-known',
    'remember',
    'stopped',
    'server-away',
  ],
  dark: ['home 1280', 'transferring 390', 'waiting 390'],
};

const site = await mockPage(['--host-resolver-rules=MAP beeline.test 127.0.0.1']);
mkdirSync(FOLDER, { recursive: true });
try {
  for (const [name, reach] of Object.entries(STATES)) {
    if (ONLY.length > 0 && !ONLY.includes(name)) continue;
    const wanted = Object.keys(SIZES).flatMap((size) => [
      ...(!FOR_DOCUMENTS || SHOWN[size].includes(name) ? [{ size, dark: false }] : []),
      ...(!FOR_DOCUMENTS || SHOWN.dark.includes(`${name} ${size}`) ? [{ size, dark: true }] : []),
    ]);
    if (wanted.length === 0) continue;
    const from = name === 'insecure' ? site.origin.replace('127.0.0.1', 'beeline.test') : undefined;
    const { page } = await site.open(ADDRESSES[name] ?? '/', from);
    await page.setViewport(SIZES[1280]);
    await reach(page);
    if (language) await page.select('#language', language);
    for (const { size, dark } of wanted)
      await shot(page, `${name}-${size}${dark ? '-dark' : ''}`, size, dark);
    await page.close();
  }
} finally {
  await site.close();
}

async function shot(page, name, size, dark) {
  await page.bringToFront();
  await page.setViewport(SIZES[size]);
  await page.emulateMediaFeatures([
    { name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' },
    { name: 'prefers-reduced-motion', value: 'reduce' },
  ]);
  await play(page, '0');
  const path = join(FOLDER, `${name}.png`);
  await page.screenshot({ path });
  const bytes = statSync(path).size;
  console.log(`${path}: ${bytes} bytes`);
  if (FOR_DOCUMENTS && bytes > MOST)
    throw new Error(`${path} has ${bytes} bytes: a picture for the documents has at most ${MOST}.`);
}
