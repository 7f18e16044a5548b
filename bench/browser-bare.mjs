/** A bare data channel between a page and a Node process: the most that a WebRTC lane of one connection could be. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const END = fileURLToPath(new URL('./browser-bare-end.mjs', import.meta.url));
const DEADLINE = 300_000;
/** As of a WebRTC lane: src/transports/webrtc/pipe.ts. */
const MESSAGE = 64 * 1024;
const HIGH_WATER = 2 * 1024 * 1024;

/** In the page. The channel's other end is a process that answers this offer. */
const OFFER = `(async () => {
  globalThis.pc = new RTCPeerConnection();
  globalThis.channel = pc.createDataChannel('bare', { ordered: true });
  channel.binaryType = 'arraybuffer';
  await pc.setLocalDescription(await pc.createOffer());
  while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 10));
  return pc.localDescription.sdp;
})()`;

const COUNT = (size) => `globalThis.counted = new Promise((resolve) => {
  let got = 0, began = 0;
  channel.onmessage = ({ data }) => {
    began ||= performance.now();
    got += data.byteLength;
    if (got >= ${size}) resolve((performance.now() - began) / 1000);
  };
}); 0`;

const POUR = (size) => `new Promise((resolve) => {
  const block = crypto.getRandomValues(new Uint8Array(${MESSAGE}));
  let left = ${size};
  channel.bufferedAmountLowThreshold = ${HIGH_WATER / 2};
  const more = () => {
    for (; left > 0 && channel.bufferedAmount < ${HIGH_WATER}; left -= ${MESSAGE}) channel.send(block);
    if (left <= 0) resolve();
  };
  channel.onbufferedamountlow = more;
  if (channel.readyState === 'open') more();
  else channel.onopen = more;
})`;

/** Seconds from the first byte to the last, at the side that gets them. `size` is a multiple of the message's. */
export async function bare(tab, direction, size) {
  const words = [END, direction, size, MESSAGE, HIGH_WATER].map(String);
  const child = spawn(process.execPath, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  const late = setTimeout(() => child.kill('SIGKILL'), DEADLINE);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error('The end of the bare channel has ended.');
    return JSON.parse(value);
  };
  try {
    child.stdin.write(`${JSON.stringify({ sdp: await tab.evaluate(OFFER) })}\n`);
    const { sdp } = await next();
    if (direction === 'to-page') await tab.evaluate(COUNT(size));
    await tab.evaluate(`pc.setRemoteDescription({ type: 'answer', sdp: ${JSON.stringify(sdp)} })`);
    if (direction === 'to-page') return await tab.evaluate('counted');
    await tab.evaluate(POUR(size));
    return (await next()).seconds;
  } finally {
    clearTimeout(late);
    await tab.evaluate('pc.close()').catch(() => {});
    child.stdin.end();
    child.kill('SIGKILL');
  }
}
