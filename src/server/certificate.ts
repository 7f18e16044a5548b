/**
 * The certificate of a server that speaks TLS itself, from two PEM files. Whoever renews it replaces the files; they are
 * looked at every minute, and read again when asked. What is wrong at the start is an error; what is wrong later is told,
 * and the certificate from before stays.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { SecureContext } from 'node:tls';
import { asBeelineError, fault, faultFrom } from '../base/errors.ts';
import { type ServerLog, SILENT } from './log.ts';
import { publicContext } from './tls.ts';

export interface CertificateFiles {
  /** PEM: the server's certificate first, then those between it and the authority's. */
  cert: string;
  /** PEM, not encrypted. */
  key: string;
}

export interface CertificateOptions extends CertificateFiles {
  log?: ServerLog;
  /** Gets a warning for a person: the certificate ends soon or has ended, others can read the key, or a new one cannot be used. */
  warn?: (sentence: string) => void;
  /** Milliseconds between two looks at the files. */
  every?: number;
}

export interface ServerCertificate {
  /** For the next connection; those that are open keep theirs. */
  readonly context: SecureContext;
  /** The first name in it that is one host's; undefined if there is none. */
  readonly name: string | undefined;
  /** Reads the files again. Never rejects: it warns. */
  reload(): Promise<void>;
  close(): void;
}

const MINUTE = 60_000;
/** Bytes; a larger file is neither a key nor a chain. */
const MOST = 2 ** 20;

interface LoadedCertificate {
  context: SecureContext;
  name: string | undefined;
  validTo: string;
}

/** @throws BeelineError NO_SUCH_PATH, UNREADABLE, USAGE for files that are not a certificate and its key */
export async function openCertificate(options: CertificateOptions): Promise<ServerCertificate> {
  const { log = SILENT, warn = () => {}, every = MINUTE } = options;
  const tell = (sentence: string) => {
    log.warn({ cert: options.cert }, sentence);
    warn(sentence);
  };
  let stamp = await stampOf(options);
  let loaded = await load(options, tell);
  let turn = Promise.resolve();

  const read = async () => {
    // Taken before the reading: what changes meanwhile is seen at the next look.
    stamp = await stampOf(options);
    try {
      loaded = await load(options, tell);
      log.info({ cert: options.cert, validTo: loaded.validTo }, 'certificate read again');
    } catch (thrown) {
      tell(
        `${asBeelineError(thrown).message.replace(/\.?$/, '.')} The certificate from before stays in use.`,
      );
    }
  };
  const inTurn = (act: () => Promise<void>) => {
    turn = turn.then(act);
    return turn;
  };
  const look = async () => {
    if ((await stampOf(options)) !== stamp) await read();
  };
  const timer = setInterval(() => void inTurn(look), every);
  timer.unref();

  return {
    get context() {
      return loaded.context;
    },
    get name() {
      return loaded.name;
    },
    reload: () => inTurn(read),
    close: () => clearInterval(timer),
  };
}

/** Changes with either file, also where a link leads to another one now. */
async function stampOf({ cert, key }: CertificateFiles): Promise<string> {
  const each = [cert, key].map((path) =>
    stat(path).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      () => 'none',
    ),
  );
  return (await Promise.all(each)).join('; ');
}

async function load(files: CertificateFiles, tell: (sentence: string) => void): Promise<LoadedCertificate> {
  const [cert, key] = await Promise.all([read(files.cert, 'certificate'), read(files.key, 'private key')]);
  const certificate = made('CERTIFICATE_MALFORMED', () => new X509Certificate(cert));
  if (/ENCRYPTED/.test(key)) throw fault('CERTIFICATE_KEY_ENCRYPTED');
  const fits = made('CERTIFICATE_KEY_MALFORMED', () => certificate.checkPrivateKey(createPrivateKey(key)));
  if (!fits) throw fault('CERTIFICATE_KEY_OTHER');
  const context = made('CERTIFICATE_UNUSABLE', () => publicContext(cert, key));
  warnings(certificate).forEach(tell);
  if (await isOpenToOthers(files.key))
    tell(`Every user of this machine can read the private key in ${files.key}: chmod 600 it.`);
  // A name with a wildcard is no place to go to.
  const name = /DNS:([a-z0-9][a-z0-9.-]*)/i.exec(certificate.subjectAltName ?? '')?.[1];
  return { context, name, validTo: certificate.validTo };
}

async function read(path: string, what: 'certificate' | 'private key'): Promise<string> {
  const parts: Buffer[] = [];
  try {
    for await (const part of createReadStream(path, { end: MOST })) parts.push(part);
  } catch (thrown) {
    const missing = (thrown as NodeJS.ErrnoException).code === 'ENOENT';
    throw faultFrom(thrown, missing ? 'CERTIFICATE_MISSING' : 'CERTIFICATE_UNREADABLE', { what });
  }
  return Buffer.concat(parts).toString('latin1');
}

type Useless = 'CERTIFICATE_MALFORMED' | 'CERTIFICATE_KEY_MALFORMED' | 'CERTIFICATE_UNUSABLE';
function made<T>(otherwise: Useless, make: () => T): T {
  try {
    return make();
  } catch (thrown) {
    throw faultFrom(thrown, otherwise);
  }
}

function warnings({ validFrom, validTo }: X509Certificate): string[] {
  const now = Date.now();
  if (Date.parse(validTo) <= now) return [`The certificate ended on ${validTo}: nobody will trust it.`];
  if (Date.parse(validFrom) > now)
    return [`The certificate begins on ${validFrom} only: nobody will trust it before.`];
  return [];
}

/** Windows has no such mode: what stat tells there is made up. */
async function isOpenToOthers(path: string): Promise<boolean> {
  if (process.platform === 'win32') return false;
  return ((await stat(path)).mode & 0o004) !== 0;
}
