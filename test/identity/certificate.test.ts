import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import {
  type Certificate,
  fingerprintOf,
  makeCertificate,
  shortFingerprint,
} from '../../src/identity/certificate.ts';

test('a certificate is P-256, self-signed, short-lived and names nobody', async () => {
  const [made, other] = await Promise.all([makeCertificate(), makeCertificate()]);
  const certificate = new X509Certificate(made.cert);
  assert.equal(certificate.subject, 'CN=beeline');
  assert.equal(certificate.issuer, 'CN=beeline');
  assert.equal(certificate.subjectAltName, undefined);
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.ok(certificate.verify(certificate.publicKey));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(made.key)));
  assert.match(made.key, /^-----BEGIN PRIVATE KEY-----/);
  const day = 24 * 60 * 60 * 1000;
  const from = Date.parse(certificate.validFrom);
  assert.ok(Math.abs(Date.now() - day - from) < day / 24, certificate.validFrom);
  assert.equal(Date.parse(certificate.validTo) - from, 30 * day);
  assert.equal(made.fingerprint, certificate.fingerprint256.replaceAll(':', '').toLowerCase());
  assert.equal(fingerprintOf(certificate.raw), made.fingerprint);
  assert.notEqual(other.fingerprint, made.fingerprint);
});

test('it says what it may be used for, as another reader of X.509 sees it, each time with another serial number', async () => {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const serials = new Set<string>();
  for (let run = 0; run < 50; run++) {
    const { cert } = await makeCertificate();
    const read = new x509.X509Certificate(cert);
    assert.ok(await read.verify({ signatureOnly: true }, crypto));
    const [basic, usage, extended, ...more] = read.extensions;
    assert.ok(basic instanceof x509.BasicConstraintsExtension && basic.critical && !basic.ca);
    assert.ok(usage instanceof x509.KeyUsagesExtension && usage.critical);
    assert.equal(usage.usages, x509.KeyUsageFlags.digitalSignature);
    assert.ok(extended instanceof x509.ExtendedKeyUsageExtension && !extended.critical);
    const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
    assert.deepEqual([...extended.usages], [serverAuth, clientAuth]);
    assert.deepEqual(more, []);
    assert.match(read.serialNumber, /^01[0-9a-f]{30}$/);
    serials.add(read.serialNumber);
  }
  assert.equal(serials.size, 50);
});

test('people see the first 16 hex digits in fours', () => {
  assert.equal(shortFingerprint(`0123456789abcdef${'0'.repeat(48)}`), '0123 4567 89ab cdef');
});

/** Both ends' view of the other's fingerprint after one mutual TLS 1.3 handshake on loopback. */
async function handshake(ours: Certificate, theirs: Certificate) {
  const options = { minVersion: 'TLSv1.3', rejectUnauthorized: false } as const;
  const server = createServer({ ...options, cert: ours.cert, key: ours.key, requestCert: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>;
  let client: TLSSocket | undefined;
  try {
    client = connect({ ...options, host: '127.0.0.1', port, cert: theirs.cert, key: theirs.key });
    const [[atServer]] = await Promise.all([accepted, once(client, 'secureConnect')]);
    const seen = (socket: TLSSocket) => fingerprintOf(socket.getPeerX509Certificate()!.raw);
    atServer.end('hello');
    const [data] = (await once(client, 'data')) as [Buffer];
    return {
      atServer: seen(atServer),
      atClient: seen(client),
      protocol: client.getProtocol(),
      data: data.toString(),
    };
  } finally {
    client?.destroy();
    server.close();
  }
}

test('both sides of TLS 1.3 accept it and see the pinned fingerprint', async () => {
  const [server, client, stranger] = await Promise.all([
    makeCertificate(),
    makeCertificate(),
    makeCertificate(),
  ]);
  assert.deepEqual(await handshake(server, client), {
    atServer: client.fingerprint,
    atClient: server.fingerprint,
    protocol: 'TLSv1.3',
    data: 'hello',
  });
  const strange = await handshake(server, stranger);
  assert.notEqual(strange.atServer, client.fingerprint);
});

test("TLS itself refuses someone else's certificate with one's own key", async () => {
  const [server, client] = await Promise.all([makeCertificate(), makeCertificate()]);
  await assert.rejects(async () => handshake(server, { ...client, key: server.key }), /key values mismatch/);
});
