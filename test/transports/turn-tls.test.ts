/** `turns:`: the certificate of the server is checked as a web server's is, and lanes are TLS within TLS. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { childModule } from '../child.ts';
import { turnCertificate } from './turn-fake.ts';

const CHILD = childModule('test/transports/turn-tls-child.ts');

/** What Node trusts it reads once, when it starts: so each case is a process of its own. */
function run(env: Record<string, string>): Promise<string> {
  return new Promise((resolve, reject) => {
    const { NODE_TEST_CONTEXT: _, ...rest } = process.env;
    const child = spawn(process.execPath, [...CHILD.node, CHILD.path], {
      env: { ...rest, ...env },
      timeout: 60_000,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (part) => {
      said += part;
    });
    child.once('error', reject);
    child.once('close', () => resolve(said.trim()));
  });
}

test('a TURN server with a trusted certificate carries lanes; another is refused', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'beeline-turns-'));
  try {
    const { cert, key } = await turnCertificate();
    writeFileSync(join(folder, 'cert.pem'), cert);
    writeFileSync(join(folder, 'key.pem'), key);
    const files = { CERT: join(folder, 'cert.pem'), KEY: join(folder, 'key.pem') };
    const [trusted, unknown, misnamed] = await Promise.all([
      run({ ...files, NODE_EXTRA_CA_CERTS: files.CERT, HOST: 'localhost' }),
      run({ ...files, HOST: 'localhost' }),
      run({ ...files, NODE_EXTRA_CA_CERTS: files.CERT, HOST: '127.0.0.1' }),
    ]);
    assert.equal(trusted, 'hello');
    assert.match(unknown, /^NO_PATH .*self[- ]signed/);
    assert.match(misnamed, /^NO_PATH .*not in the cert/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
