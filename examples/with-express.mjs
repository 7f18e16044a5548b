// A meeting place for Beeline in an Express application, which keeps its routes and its own WebSockets.
// Run it after `npm run build`:  PORT=8080 node examples/with-express.mjs
import { createServer } from 'node:http';
import { createRendezvous } from '@beeline-transfer/beeline/server';
import express from 'express';
import { WebSocketServer } from 'ws';

const app = express();
app.get('/', (_request, response) => response.send('This is the application.'));

const server = createServer(app);
// `beeline send --server http://HOST:PORT` meets here. It takes its own paths below /v1/ and leaves the rest alone.
const rendezvous = createRendezvous({ relay: true });
rendezvous.handle(server);

// A WebSocket of the application. `noServer`, since a WebSocketServer with `server` refuses what is at other paths.
const chat = new WebSocketServer({ noServer: true });
chat.on('connection', (socket) => socket.on('message', (data) => socket.send(`You said ${data}.`)));
server.on('upgrade', (request, socket, head) => {
  if (request.url === '/chat')
    chat.handleUpgrade(request, socket, head, (webSocket) => chat.emit('connection', webSocket));
  else if (!request.url?.startsWith('/v1/')) socket.destroy();
});

server.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`Listening at http://127.0.0.1:${server.address().port}`);
});
process.on('SIGTERM', async () => {
  await rendezvous.close();
  server.close();
});
