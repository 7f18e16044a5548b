// Hono: a download link for a code. What a sender offers goes through to whoever opens the link, and is kept nowhere.
//   curl -O http://127.0.0.1:8080/fetch/7-velvet-canyon
import { BeelineError, receive } from '@beeline-transfer/beeline';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';

const app = new Hono();

app.get('/fetch/:code', async (context) => {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const { BEELINE_AT: at } = process.env;
  let named: (name: string) => void = () => {};
  const name = new Promise<string>((resolve) => {
    named = resolve;
  });
  const transfer = receive({
    code: context.req.param('code'),
    into: writable,
    // Whoever closes the link ends the transfer.
    signal: context.req.raw.signal,
    ...(at === undefined ? {} : { at, lan: false }),
    accept({ files, folders, names }) {
      named(names[0] ?? 'file');
      return files === 1 && folders === 0;
    },
  });
  transfer.done.catch(() => {});
  try {
    const first = await Promise.race([name, transfer.done.then(() => 'file')]);
    const disposition = `attachment; filename*=UTF-8''${encodeURIComponent(first)}`;
    return new Response(readable, { headers: { 'content-disposition': disposition } });
  } catch (error) {
    if (!(error instanceof BeelineError)) throw error;
    return context.json({ code: error.code, message: error.message }, error.code === 'NO_PEER' ? 404 : 502);
  }
});

const server = serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 8080) },
  ({ port }) => console.log(`http://127.0.0.1:${port}`),
);
process.on('SIGTERM', () => server.close());
