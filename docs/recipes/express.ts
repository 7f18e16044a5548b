// Express: files of a folder on the server, each offered when somebody asks for it, with its progress as server-sent events.
//   curl -X POST http://127.0.0.1:8080/offers/report.pdf       {"id":1,"code":"7-velvet-canyon","port":47150}
//   curl -N http://127.0.0.1:8080/offers/1/events              what happens, one event a line, until the end
//   curl -X DELETE http://127.0.0.1:8080/offers/1              ends it, at both sides
import { readdir } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { send, type Transfer } from '@beeline-transfer/beeline';
import express from 'express';

const app = express();
const folder = process.env.FOLDER ?? '.';
/** Those that are under way. Any number may be, in one process. */
const offers = new Map<string, Transfer>();
let last = 0;
/** Ends all of them together with the application. */
const ending = new AbortController();

app.post('/offers/:name', async ({ params }, response) => {
  // What is asked for is looked up, so that no `..` leads out of the folder.
  const names = await readdir(folder);
  if (!names.includes(params.name))
    return void response.status(404).json({ message: 'There is no such file' });
  const { BEELINE_AT: at } = process.env;
  const transfer = send([join(folder, params.name)], {
    ...{ signal: ending.signal, wait: 3600 },
    ...(at === undefined ? {} : { at, lan: false }),
  });
  const id = String(++last);
  offers.set(id, transfer);
  // It goes on after the answer. Whoever never fetches it is no reason to fall.
  transfer.done.catch((error: Error) => console.error(error.message));
  void transfer.closed.then(() => offers.delete(id));
  let port = 0;
  for await (const event of transfer) {
    if (event.event === 'listening') port = event.port;
    if (event.event === 'code') return void response.status(201).json({ id, code: event.code, port });
  }
  response.status(502).json({ message: 'It ended without a code' });
});

app.get('/offers/:id/events', async ({ params }, response) => {
  const transfer = offers.get(params.id);
  if (!transfer) return void response.status(404).json({ message: 'There is no such offer' });
  response.type('text/event-stream');
  response.flushHeaders();
  const unsubscribe = transfer.subscribe(
    (event) => void response.write(`data: ${JSON.stringify(event)}\n\n`),
  );
  response.on('close', unsubscribe);
  // After the last event.
  await transfer.closed;
  response.end();
});

app.delete('/offers/:id', ({ params }, response) => {
  offers.get(params.id)?.cancel();
  response.status(204).end();
});

const server = app.listen(Number(process.env.PORT ?? 8080), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
process.on('SIGTERM', () => {
  ending.abort();
  server.close();
});
