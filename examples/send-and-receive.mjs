// Sends a file to itself over loopback: both ends of a transfer in one process, through the library.
// Run it after `npm run build`:  node examples/send-and-receive.mjs
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { receive, send } from '@beeline-transfer/beeline';

const PORT = 47_150;
const work = mkdtempSync(join(tmpdir(), 'beeline-example-'));
const file = join(work, 'photo.raw');
const inbox = join(work, 'inbox');
writeFileSync(file, randomBytes(64 << 20));
mkdirSync(inbox);

try {
  // `lan: false` and `at` keep it on this machine. Without them, the two would meet by mDNS.
  const sending = send([file], { lan: false, at: `127.0.0.1:${PORT}` });

  let received;
  for await (const event of sending) {
    // The code is what a person would read out to the receiver.
    if (event.event !== 'code') continue;
    received = follow(receiving(event.code));
    // A receiver that never got through cannot tell the sender: stop it here.
    received.catch(() => sending.cancel());
  }
  const [got, sent] = await Promise.all([received, sending.done]);
  if (sent.root !== got.root) throw new Error('The roots differ.');
  if (!readFileSync(file).equals(readFileSync(join(inbox, 'photo.raw'))))
    throw new Error('The files differ.');
  console.log(`${got.files} file, ${got.bytes} bytes in ${got.seconds.toFixed(2)} s`);
  console.log(`root ${got.root}, the same on both sides`);
} catch (error) {
  // A BeelineError: `code` is stable and for programs, `message` is a sentence for people.
  console.error(`${error.code ?? 'ERROR'}: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(work, { recursive: true, force: true });
}

function receiving(code) {
  return receive({
    code,
    lan: false,
    at: `127.0.0.1:${PORT}`,
    to: inbox,
    // Asked before a byte moves. `accept: 'all'` would take whatever comes.
    accept: (offer) => offer.files === 1 && offer.names[0] === 'photo.raw',
  });
}

/** Prints a transfer's progress; resolves with its result, or rejects with a BeelineError. */
async function follow(transfer) {
  for await (const event of transfer) {
    if (event.event === 'state') console.log(`${event.from} -> ${event.to}`);
    if (event.event === 'progress') console.log(`${event.bytes} of ${event.total} bytes`);
  }
  return transfer.done;
}
