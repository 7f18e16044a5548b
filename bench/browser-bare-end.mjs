/**
 * Node's end of the bare data channel, as a process of its own, as the command is one. One JSON object a line: the page's
 * offer comes by standard input, the answer goes to standard output; then it sends, or counts, and tells the seconds.
 */
import { createInterface } from 'node:readline';
import { RTCPeerConnection } from 'node-datachannel/polyfill';

const [direction, size, message, highWater] = process.argv.slice(2);
const [SIZE, MESSAGE, HIGH_WATER] = [size, message, highWater].map(Number);
const pc = new RTCPeerConnection({ iceServers: [] });
const tell = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

pc.addEventListener('datachannel', ({ channel }) => {
  channel.binaryType = 'arraybuffer';
  if (direction === 'to-page') {
    if (channel.readyState === 'open') pour(channel);
    else channel.addEventListener('open', () => pour(channel));
    return;
  }
  let [got, began] = [0, 0];
  channel.addEventListener('message', ({ data }) => {
    began ||= performance.now();
    got += data.byteLength;
    if (got >= SIZE) tell({ seconds: (performance.now() - began) / 1000 });
  });
});

/** Keeps the channel's buffer between its marks, as a lane does. */
function pour(channel) {
  const block = crypto.getRandomValues(new Uint8Array(MESSAGE));
  let left = SIZE;
  channel.bufferedAmountLowThreshold = HIGH_WATER / 2;
  const more = () => {
    for (; left > 0 && channel.bufferedAmount < HIGH_WATER; left -= MESSAGE) channel.send(block);
  };
  channel.addEventListener('bufferedamountlow', more);
  more();
}

for await (const line of createInterface({ input: process.stdin })) {
  const { sdp } = JSON.parse(line);
  await pc.setRemoteDescription({ type: 'offer', sdp });
  await pc.setLocalDescription(await pc.createAnswer());
  while (pc.iceGatheringState !== 'complete') await new Promise((resolve) => setTimeout(resolve, 10));
  tell({ sdp: pc.localDescription.sdp });
}
pc.close();
process.exit(0);
