/** One instance for `server-load.mjs`: with limits for one machine that plays thousands. It tells its port, and what it uses when asked. */
import { startServer } from '../dist/server/index.js';

const [redis] = process.argv.slice(2);
const MANY = 1e6;
const server = await startServer({
  port: 0,
  host: '127.0.0.1',
  trustProxy: true,
  stun: false,
  page: false,
  relay: false,
  ...(redis && { redis }),
  limits: {
    ...{ mailboxes: MANY, connections: MANY, strangers: MANY },
    ...{ mailboxesPerAddress: MANY, connectionsPerAddress: MANY, mailboxesPerHour: MANY, joinsPerHour: MANY },
  },
});
process.on('message', () => {
  globalThis.gc();
  const { user, system } = process.cpuUsage();
  process.send({ rss: process.memoryUsage().rss, cpu: (user + system) / 1e6, ...server.counts() });
});
process.on('disconnect', () => process.exit());
process.send({ port: server.port });
