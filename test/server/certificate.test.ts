/** The files of a server's certificate: what is wrong is said in words, and what changes is seen. */
import assert from 'node:assert/strict';
import { createPrivateKey } from 'node:crypto';
import { chmodSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BeelineError, type ErrorCode } from '../../src/base/errors.ts';
import { openCertificate } from '../../src/server/certificate.ts';
import { certificateFiles, type Files, type Made, makeServerCertificate } from './certificates.ts';

describe('server: certificate', () => {
  let first: Made;
  let second: Made;
  before(async () => {
    first = await makeServerCertificate(['*.meet.example', 'meet.example']);
    second = await makeServerCertificate(['other.example']);
  });

  async function using(use: (files: Files) => Promise<void>) {
    const files = certificateFiles(first);
    try {
      await use(files);
    } finally {
      files.remove();
    }
  }

  it('says what is wrong with its files', () =>
    using(async (files) => {
      const refused = async (code: ErrorCode, says: RegExp) =>
        assert.rejects(openCertificate(files), (error) => {
          assert.ok(error instanceof BeelineError);
          assert.equal(error.code, code);
          assert.match(error.message, says);
          assert.ok(!error.message.includes(first.key.split('\n')[1]!), 'nothing of the key');
          return true;
        });
      files.write({ ...first, key: second.key });
      await refused('USAGE', /not that of the first certificate/);
      const encrypted = createPrivateKey(first.key).export({
        ...{ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
      } as never);
      files.write({ ...first, key: String(encrypted) });
      await refused('USAGE', /encrypted.*openssl pkey/);
      files.write({ cert: first.key, key: first.cert });
      await refused('USAGE', /no certificate in PEM/);
      files.write({ cert: first.cert, key: 'nonsense' });
      await refused('USAGE', /no private key in PEM/);
      files.write({ cert: '', key: '' });
      await refused('USAGE', /no certificate/);
      files.write(first);
      unlinkSync(files.key);
      await refused('NO_SUCH_PATH', /private key file is not there/);
      files.write(first);
      rmSync(files.cert);
      symlinkSync(files.folder, files.cert);
      await refused('UNREADABLE', /certificate file cannot be read/);
    }));

  it('warns of one that has ended, and of a key that others can read', () =>
    using(async (files) => {
      const warnings: string[] = [];
      const warn = (sentence: string) => void warnings.push(sentence);
      (await openCertificate({ ...files, warn })).close();
      assert.deepEqual(warnings, []);
      files.write(await makeServerCertificate(['meet.example'], -1));
      chmodSync(files.key, 0o644);
      (await openCertificate({ ...files, warn })).close();
      assert.equal(warnings.length, 2);
      assert.match(warnings[0]!, /ended on/);
      assert.match(warnings[1]!, /chmod 600/);
    }));

  it('is read again when it changes, also by a link that leads elsewhere', () =>
    using(async (files) => {
      const link = join(files.folder, 'live.pem');
      symlinkSync(files.cert, link);
      const certificate = await openCertificate({ cert: link, key: files.key, every: 10 });
      try {
        const nameOf = () => certificate.name;
        assert.equal(nameOf(), 'meet.example', 'not the one with a wildcard');
        const before = certificate.context;
        const renewed = join(files.folder, 'renewed.pem');
        writeFileSync(renewed, second.cert);
        writeFileSync(files.key, second.key);
        unlinkSync(link);
        symlinkSync(renewed, link);
        while (nameOf() !== 'other.example') await sleep(10);
        assert.notEqual(certificate.context, before);
      } finally {
        certificate.close();
      }
    }));

  it('stays as it was when what is read again is of no use, and says so once', () =>
    using(async (files) => {
      const warnings: string[] = [];
      let looks = 0;
      const log = { debug: () => {}, info: () => {}, warn: () => {} };
      const certificate = await openCertificate({
        ...files,
        log,
        every: 10,
        warn: (sentence) => void warnings.push(sentence),
      });
      try {
        const { context } = certificate;
        // Half of a renewal: the key comes later.
        files.write({ ...second, key: first.key });
        while (warnings.length === 0) await sleep(10);
        assert.match(warnings[0]!, /The certificate from before stays/);
        while (looks++ < 10) await sleep(10);
        assert.equal(certificate.context, context);
        assert.ok(warnings.length <= 2, `${warnings.length} for the two files that changed`);
        writeFileSync(files.key, second.key);
        while (certificate.name !== 'other.example') await sleep(10);
        unlinkSync(files.key);
        await certificate.reload();
        assert.match(warnings.at(-1)!, /is not there/);
        assert.equal(certificate.name, 'other.example');
      } finally {
        certificate.close();
      }
    }));
});
