// A meeting place for Beeline in a Hono application on Node.
// Run it after `npm run build`:  PORT=8080 node examples/with-hono.mjs

import { createRendezvous } from '@beeline-transfer/beeline/server';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const app = new Hono();
app.get('/', (context) => context.text('This is the application.'));

// `beeline send --server http://HOST:PORT` meets here.
const rendezvous = createRendezvous({ relay: true });
const server = serve(
  { fetch: app.fetch, port: Number(process.env.PORT ?? 8080), hostname: '127.0.0.1' },
  ({ port }) => console.log(`Listening at http://127.0.0.1:${port}`),
);
rendezvous.handle(server);
process.on('SIGTERM', async () => {
  await rendezvous.close();
  server.close();
});
