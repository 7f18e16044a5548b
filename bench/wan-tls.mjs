/** One plain TLS 1.3 stream between two Node processes, from memory to memory: what a single connection can do. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure, start, within } from './processes.mjs';
import { makeCertificate } from './pump.mjs';
import { Samples } from './wan-samples.mjs';

const END = fileURLToPath(new URL('./wan-tls-end.mjs', import.meta.url));
const PORT = 47_201;
/** Milliseconds for the server to listen. */
const SETTLE = 10_000;

/** Streams for so many seconds, and is at it still when this resolves. Throws when it ends before. */
export async function tls({ work, wan, seconds }) {
  await makeCertificate(work);
  const deadline = seconds * 1000 + 30_000;
  const run = (host, args, onLine) =>
    start(host.prefix[0], [...host.prefix.slice(1), process.execPath, END, ...args], { deadline, onLine });
  let showReady = () => {};
  const ready = new Promise((resolve) => {
    showReady = resolve;
  });
  const where = [wan.left.address, String(PORT)];
  const sender = run(wan.left, ['send', ...where, join(work, 'pump.pem')], showReady);
  const shown = await within(SETTLE, ready, sender.exited);
  if (typeof shown !== 'string')
    throw new Error(shown ? failure('the TLS server', shown) : 'The TLS server did not start.');
  const samples = new Samples();
  const receiver = run(wan.right, ['receive', ...where], (line) => samples.add(Number(line)));
  const ended = await within(seconds * 1000, receiver.exited, sender.exited);
  if (ended) throw new Error(failure('the TLS stream, which should still be at it,', ended));
  return { samples };
}
