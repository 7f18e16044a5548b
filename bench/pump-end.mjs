/** One end of the pump: `send PEM BYTES` prints its port and serves one connection; `receive PORT BYTES` drains it. */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:tls';

const [role, where, size] = process.argv.slice(2);
const total = Number(size);
const SUITE = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' };

if (role === 'send') {
  const pem = readFileSync(where);
  const block = randomFillSync(Buffer.allocUnsafe(1 << 20));
  const server = createServer({ ...SUITE, key: pem, cert: pem }, (socket) => {
    server.close();
    let left = total;
    const fill = () => {
      while (left > 0) {
        const part = left < block.length ? block.subarray(0, left) : block;
        left -= part.length;
        if (!socket.write(part)) return;
      }
      socket.off('drain', fill);
      socket.end();
    };
    socket.on('drain', fill);
    fill();
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
} else {
  const started = performance.now();
  // Speed is the point here, not identity: the certificate is this run's own and nobody else is on loopback.
  const socket = connect({ ...SUITE, host: '127.0.0.1', port: Number(where), rejectUnauthorized: false });
  let got = 0;
  socket.on('data', (part) => {
    got += part.length;
  });
  socket.on('end', () => {
    if (got !== total) throw new Error(`The pump delivered ${got} bytes of ${total}.`);
    console.log((performance.now() - started) / 1000);
  });
}
