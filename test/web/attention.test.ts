import assert from 'node:assert/strict';
import test from 'node:test';
import { notify } from '../../web/attention.ts';

/** What a browser has for it, and what was shown by which of the two. */
function browser(shell: boolean, constructs: boolean): string[] {
  const shown: string[] = [];
  const showNotification = async (_: string, { body }: { body: string }) =>
    void shown.push(`worker: ${body}`);
  const registration = shell ? { active: {}, showNotification } : undefined;
  Object.defineProperty(globalThis, 'navigator', {
    configurable: true,
    value: { serviceWorker: { getRegistration: async () => registration } },
  });
  Object.assign(globalThis, {
    location: new URL('https://beeline.example/'),
    Notification: class {
      constructor(_: string, { body }: { body: string }) {
        // As on Android.
        if (!constructs) throw new TypeError('Illegal constructor.');
        shown.push(`page: ${body}`);
      }
    },
  });
  return shown;
}

test('the worker of the page notifies where there is one, else the page itself, else nobody', async () => {
  const phone = browser(true, false);
  await notify('Done');
  assert.deepEqual(phone, ['worker: Done']);
  const desktop = browser(false, true);
  await notify('Done');
  assert.deepEqual(desktop, ['page: Done']);
  const neither = browser(false, false);
  await notify('Done');
  assert.deepEqual(neither, []);
});
