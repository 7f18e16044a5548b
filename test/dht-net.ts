/** A DHT of a test's own, on loopback. */
import type { TestContext } from 'node:test';
import HyperDHT from 'hyperdht';
import { DhtNode } from '../src/meeting/dht/node.ts';

export interface TestDht {
  /** As the option `dht` has it. */
  dht: { bootstrap: string[] };
  /** One more node, which may do as it likes. */
  node(): Promise<DhtNode>;
}

/** With fewer, HyperDHT cannot tell what kind of NAT it is behind, and punches none. */
const NODES = 5;

/** Nodes that keep and answer, which the type of what Beeline uses does not know. */
type Options = { ephemeral: boolean; firewalled: boolean; host: string; bootstrap: readonly string[] };
type Persistent = HyperDHT & { fullyBootstrapped(): Promise<void>; address(): { port: number } };

export async function testDht(t: Pick<TestContext, 'after'>, count = NODES): Promise<TestDht> {
  const Engine = HyperDHT as unknown as new (options: Options) => Persistent;
  const nodes: Persistent[] = [];
  t.after(() => Promise.all(nodes.map((node) => node.destroy({ force: true }))));
  let bootstrap: string[] = [];
  for (let i = 0; i < count; i++) {
    const node = new Engine({ ephemeral: false, firewalled: false, host: '127.0.0.1', bootstrap });
    nodes.push(node);
    await node.fullyBootstrapped();
    if (i === 0) bootstrap = [`127.0.0.1:${node.address().port}`];
  }
  return {
    dht: { bootstrap },
    async node() {
      const node = await DhtNode.open(bootstrap);
      t.after(() => node.close());
      await node.answered();
      return node;
    },
  };
}
