/** A process that is a company's proxy: HTTP at port 3128 and SOCKS at 1080. It says each place that it was asked for. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { socksProxy } from '../socks-proxy.ts';

const http = createServer((_, response) => response.writeHead(405).end());
http.on('connect', ({ url }, client, head) => {
  const [host, port] = url!.split(':');
  console.log(`asked by HTTP for ${url}`);
  const upstream = connect(Number(port), host, () => {
    client.write('HTTP/1.1 200 OK\r\n\r\n');
    upstream.write(head);
    client.pipe(upstream).pipe(client);
  });
  for (const [one, other] of [
    [client, upstream],
    [upstream, client],
  ] as const)
    one.on('error', () => other.destroy()).on('close', () => other.destroy());
});
http.listen(3128);
await once(http, 'listening');
const socks = await socksProxy({ at: { host: '0.0.0.0', port: 1080 } });
console.log('the proxies listen');
process.on('SIGINT', () => {
  for (const place of socks.asked) console.log(`asked by SOCKS for ${place}`);
  process.exit(0);
});
