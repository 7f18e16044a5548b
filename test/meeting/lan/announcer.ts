/** A sender in a process of its own: announces `argv[2]` on port `argv[3]` of the loopback link until stdin ends. */
import { announce } from '../../../src/meeting/lan/announce.ts';

const announcing = await announce({
  nameplate: process.argv[2]!,
  port: Number(process.argv[3]),
  interfaces: ['127.0.0.1'],
});
console.log(announcing.instance);
process.stdin.resume();
process.stdin.on('end', async () => {
  await announcing.close();
  process.exit(0);
});
