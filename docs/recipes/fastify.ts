// Fastify: whoever posts a file gets a code back, under which `beeline receive` fetches it. Up to 50 MB, kept in memory meanwhile.
//   curl --data-binary @notes.txt -H 'content-type: application/octet-stream' http://127.0.0.1:8080/share/notes.txt
import { send } from '@beeline-transfer/beeline';
import fastify from 'fastify';

const app = fastify({ bodyLimit: 50_000_000 });
/** Ends all transfers together with the application. */
const ending = new AbortController();

app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));

app.post<{ Params: { name: string }; Body: Buffer }>('/share/:name', async ({ params, body }) => {
  const { BEELINE_AT: at } = process.env;
  const transfer = send(
    { items: [{ name: params.name, data: body }] },
    { signal: ending.signal, wait: 3600, ...(at === undefined ? {} : { at, lan: false }) },
  );
  // It goes on after the answer. Whoever never fetches it is no reason to fall.
  transfer.done.catch((error: Error) => app.log.info(error.message));
  let port = 0;
  for await (const event of transfer) {
    if (event.event === 'listening') port = event.port;
    if (event.event === 'code') return { code: event.code, port };
  }
  // It ended without a code, and `done` says why.
  return transfer.done;
});

app.addHook('onClose', async () => ending.abort());
console.log(await app.listen({ port: Number(process.env.PORT ?? 8080), host: '127.0.0.1' }));
process.on('SIGTERM', () => void app.close());
