// A meeting place for Beeline in a Fastify application, below a path of its own.
// Run it after `npm run build`:  PORT=8080 node examples/with-fastify.mjs
import { createRendezvous } from '@beeline-transfer/beeline/server';
import Fastify from 'fastify';

const app = Fastify();
app.get('/', async () => 'This is the application.');

// `beeline send --server http://HOST:PORT/meet` meets here.
const rendezvous = createRendezvous({ relay: true });
rendezvous.handle(app.server, '/meet');

console.log(
  `Listening at ${await app.listen({ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' })}/meet`,
);
process.on('SIGTERM', async () => {
  await rendezvous.close();
  await app.close();
});
