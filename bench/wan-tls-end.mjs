/**
 * One end of the TLS stream: `send ADDRESS PORT PEM` pours random bytes into whoever connects, `receive ADDRESS PORT`
 * prints ten times a second how many have come.
 */
import { randomFillSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:tls';

const [role, host, port, file] = process.argv.slice(2);
const SUITE = { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_GCM_SHA256' };

if (role === 'send') {
  const pem = readFileSync(file);
  const block = randomFillSync(Buffer.allocUnsafe(1 << 20));
  const server = createServer({ ...SUITE, key: pem, cert: pem }, (socket) => {
    const fill = () => {
      while (socket.write(block));
    };
    socket.on('drain', fill);
    fill();
  });
  server.listen(Number(port), host, () => console.log('ready'));
} else {
  // Speed is the point here, not identity: the certificate is this run's own, and so is the network.
  const socket = connect({ ...SUITE, host, port: Number(port), rejectUnauthorized: false });
  let got = 0;
  socket.on('data', (part) => {
    got += part.length;
  });
  setInterval(() => console.log(got), 100);
}
