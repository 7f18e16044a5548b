/** A process that uses WebRTC in one of several ways and is then done: it must end by itself. */
import { nodePeerConnections } from '../../src/transports/webrtc/node-transport.ts';
import { Reading, write } from './pipe-contract.ts';
import { lane, sides } from './webrtc-node.ts';

const [, , how] = process.argv;
const both = sides(nodePeerConnections);
if (how === 'offered') await both.receiver.prepare();
if (how === 'carried' || how === 'cut') {
  const [theirs, ours] = await lane(both);
  const readings = [new Reading(theirs), new Reading(ours)];
  await write(ours, new Uint8Array(100_000));
  await readings[0]!.until(({ bytes }) => bytes === 100_000);
  if (how === 'carried') {
    ours.destroy();
    for (const reading of readings) await reading.until(({ over }) => over);
  }
}
both.close();
// An abrupt end, as of a command whose person has had enough.
if (how === 'cut') process.exit(7);
process.stdout.write('done\n');
