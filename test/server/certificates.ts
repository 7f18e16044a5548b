/** Certificates for tests, in files of their own. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const DAY = 86_400_000;

export interface Made {
  cert: string;
  key: string;
}

/** @param days from now until it ends; negative: it has. */
export async function makeServerCertificate(names: string[] = ['meet.example'], days = 1): Promise<Made> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      name: 'CN=test',
      keys,
      notBefore: new Date(Date.now() - 10 * DAY),
      notAfter: new Date(Date.now() + days * DAY),
      signingAlgorithm: algorithm,
      extensions: [
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns', value }) as const)),
      ],
    },
    crypto,
  );
  const pkcs8 = await crypto.subtle.exportKey('pkcs8', keys.privateKey);
  return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
}

export interface Files extends Made {
  folder: string;
  write(made: Made): void;
  remove(): void;
}

/** `cert` and `key` are paths. */
export function certificateFiles(made: Made): Files {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-tls-'));
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const write = ({ cert, key }: Made) => {
    writeFileSync(files.cert, cert);
    writeFileSync(files.key, key, { mode: 0o600 });
  };
  write(made);
  return { ...files, folder, write, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
