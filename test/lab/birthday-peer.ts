/**
 * One side of a UDP session without lanes, run inside a machine of the lab: JSON commands on standard input, one a line,
 * JSON events on standard output. Ends when standard input does.
 *
 *   sender|receiver HOST P1 P2
 *     {"do":"open"}              a new port      -> {"event":"open","hello":{candidates,password,symmetric}}
 *     {"do":"peer","hello":..}   checks begin    -> receiver: {"event":"path","ms"} once
 *     {"do":"close"}                             -> "closed"
 */
import { randomBytes } from 'node:crypto';
import { networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { makeCertificate } from '../../src/identity/certificate.ts';
import { laneContext } from '../../src/secure/tls.ts';
import { openUdp, type UdpAgent } from '../../src/transports/udx/agent.ts';

const [role, host, p1, p2] = process.argv.slice(2) as ['sender' | 'receiver', string, string, string];
const servers = [p1, p2].map((port) => ({ host, port: Number(port) }));
const say = (event: string, more: object = {}) => console.log(JSON.stringify({ event, ...more }));
const certificate = await makeCertificate();
const context = laneContext(certificate.cert, certificate.key);
let agent: UdpAgent | undefined;
let began = 0;

async function open(): Promise<void> {
  const password = randomBytes(16).toString('hex');
  let found = false;
  agent = await openUdp({
    ...{ role, context, password, pin: () => '', onPipe: (pipe) => pipe.destroy() },
    onPath: (path) => {
      if (!path || found) return;
      found = true;
      say('path', { ms: Math.round(performance.now() - began) });
    },
  });
  const { port } = agent;
  const { reflexive, symmetric } = await agent.gather(servers);
  const own = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const hosts = own.filter(({ internal, family }) => !internal && family === 'IPv4');
  const candidates = [...hosts.map(({ address }) => ({ host: address, port })), ...reflexive];
  say('open', { hello: { candidates, password, symmetric } });
}

say('ready');
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  if (command.do === 'open') await open();
  if (command.do === 'peer') {
    began = performance.now();
    agent!.peer(command.hello);
  }
  if (command.do === 'close') {
    await agent?.close();
    say('closed');
  }
}
process.exit(0);
