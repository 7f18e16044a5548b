/** Two pages at one server that show themselves: a tile, words typed on the other device, and the file is there. Then no words are needed. */
import { makeFile } from '../../bench/files.mjs';
import type { BeelinePage } from './harness/page.ts';
import type { Stage } from './harness/stage.ts';
import { inBrowser } from './harness/suite.ts';

const SIZE = 1 << 20;

async function shown(stage: Stage, name: string, elsewhere = false): Promise<BeelinePage> {
  const page = await stage.page({ elsewhere });
  await page.shows("document.querySelector('#near-name')");
  await page.fill('Name that others see', name);
  await page.press('Show this device');
  await page.says(new RegExp(`Others see it as “${name}`));
  return page;
}

/** Chooses a file for a device nearby. @returns the code that is shown */
async function sendNear(page: BeelinePage, name: string, path: string): Promise<string> {
  await page.shows("document.querySelector('.tile.near')");
  const [chooser] = await Promise.all([
    page.page.waitForFileChooser(),
    page.press(`Send to ${name}, nearby, not known`),
  ]);
  await chooser.accept([path]);
  await page.reaches('staging');
  await page.press('Send');
  await page.reaches('waiting');
  await page.says(new RegExp(`On ${name}, type the words of this code`));
  return page.code();
}

/** Into the card of who calls. */
async function typeWords({ page }: BeelinePage, words: string): Promise<void> {
  // A tab in the background draws no frames.
  await page.bringToFront();
  await page.locator('#near-words').fill(words);
  await page.locator('.nearcall [type=submit]').click();
}

inBrowser('chromium', 'devices nearby', ({ test }) => {
  test('a tile leads to words that are typed on the other device, and a remembered one needs none', async (stage) => {
    const { work } = stage;
    makeFile(work.path('photo.bin'), SIZE);
    const anna = await shown(stage, 'Anna');
    const ben = await shown(stage, 'Ben', true);
    const code = await sendNear(anna, 'Ben', work.path('photo.bin'));
    await ben.says(/A device nearby that calls itself “Anna” wants to send you something/);
    await typeWords(ben, code.slice(code.indexOf('-') + 1));
    await ben.reaches('offer');
    await ben.press('Receive');
    await ben.reaches('completed');
    await anna.reaches('completed');
    for (const page of [anna, ben]) {
      await page.press('Remember');
      await page.says(/is remembered here/);
    }
    await anna.again();
    await ben.again();
    await anna.reaches('home');
    await anna.says(/Ben.*(today|yesterday)/s);
    const [chooser] = await Promise.all([anna.page.waitForFileChooser(), anna.press('Send to Ben')]);
    await chooser.accept([work.path('photo.bin')]);
    await anna.press('Send');
    await ben.says(/Anna wants to send you something/);
    await ben.press('See what it is');
    await ben.reaches('offer');
  });

  test('wrong words get nothing, and "Not now" is not told to the caller', async (stage) => {
    const { work } = stage;
    makeFile(work.path('photo.bin'), SIZE);
    const anna = await shown(stage, 'Anna');
    const ben = await shown(stage, 'Ben', true);
    await sendNear(anna, 'Ben', work.path('photo.bin'));
    await typeWords(ben, 'zebra-zero');
    await ben.reaches('failed');
    await ben.says(/The code was wrong/);
    await anna.reaches('failed');
    await anna.press('Send again');
    await anna.reaches('waiting');
    await ben.press('Back');
    await ben.says(/A device nearby that calls itself/);
    await ben.press('Not now');
    await ben.shows("!document.querySelector('.nearcall')");
    await anna.reaches('waiting');
    await anna.press('Cancel');
  });
});
