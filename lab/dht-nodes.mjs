// Nodes of a private DHT on one machine: `node lab/dht-nodes.mjs COUNT ADDRESS PORT`. The first one, at PORT, is where others begin.
import HyperDHT from 'hyperdht';

const [count, host, port] = [Number(process.argv[2]), process.argv[3], Number(process.argv[4])];
const bootstrap = [`${host}:${port}`];
for (let number = 0; number < count; number++) {
  const node = new HyperDHT({
    ...{ ephemeral: false, firewalled: false, host, port: port + number, anyPort: false },
    bootstrap: number === 0 ? [] : bootstrap,
  });
  // What others see of the first one, nobody is there to say.
  if (number === 0) node._nat.add(host, port);
  await node.fullyBootstrapped();
}
console.log('ready');
