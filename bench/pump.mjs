/** The ceiling to compare with: one raw TLS 1.3 stream between two Node processes, from memory to memory. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failure, startMeasured, within } from './processes.mjs';

const END = fileURLToPath(new URL('./pump-end.mjs', import.meta.url));

/** Writes a self-signed certificate for this run; every pump of the run uses it. */
export async function makeCertificate(work) {
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    { name: 'CN=bench', keys, notAfter: new Date(Date.now() + 86_400_000), signingAlgorithm: algorithm },
    webcrypto,
  );
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  const pem = `-----BEGIN PRIVATE KEY-----\n${key}\n-----END PRIVATE KEY-----\n`;
  writeFileSync(join(work, 'pump.pem'), pem + certificate.toString('pem'), { mode: 0o600 });
}

/** `seconds` from the receiving process's start to its exit; `stream` from its connect to the last byte. */
export async function pump(work, size) {
  let showPort = () => {};
  const port = new Promise((resolve) => {
    showPort = resolve;
  });
  const pem = join(work, 'pump.pem');
  const sender = startMeasured(work, 'pump-sender', END, ['send', pem, String(size)], { onLine: showPort });
  try {
    const shown = await within(10_000, port, sender.exited);
    if (typeof shown !== 'string')
      throw new Error(shown ? failure('pump', shown) : 'The pump did not start.');
    const receiver = startMeasured(work, 'pump-receiver', END, ['receive', shown, String(size)]);
    const received = await receiver.exited;
    if (received.status !== 0) throw new Error(failure('pump receive', received));
    const sent = await within(10_000, sender.exited);
    if (sent?.status !== 0) throw new Error(sent ? failure('pump send', sent) : 'The pump did not end.');
    const stream = Number(received.stdout);
    return { seconds: received.seconds, stream, from: sender.usage(), to: receiver.usage() };
  } finally {
    sender.kill('SIGKILL');
  }
}
