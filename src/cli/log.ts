/**
 * Structured logs for `--log-level` and `--log-file`, one pino object a line. No secret is ever logged. Two measures guard
 * that: fields with a secret's name are blanked, and known secrets are cut out of the finished line.
 */
import { closeSync, fchmodSync, openSync, writeSync } from 'node:fs';
import { asBeelineError } from '../base/errors.ts';
import { escapeJson } from '../base/json-line.ts';
import type { Logger } from '../node/api.ts';
import type { Face } from './options.ts';

export interface Log {
  readonly logger: Logger;
  /** From now on this text appears in no line. */
  hide(secret: string): void;
  close(): void;
}

const CENSORED = '[redacted]';
const SECRET_NAME =
  /secret|passw|psk|token|private|cookie|authorization|pake|credential|^(?:session|shared)?key$/i;
/** Error codes (`NO_PEER`, `ECONNRESET`) share the field name `code` with transfer codes, which look different. */
const ERROR_CODE = /^[A-Z][A-Z0-9_]{1,40}$/;
const MAX_DEPTH = 5;

/**
 * Undefined when no log is wanted: pino is not even loaded then.
 * @param print takes whole lines for stderr
 * @throws BeelineError WRITE_FAILED
 */
export async function openLog(face: Face, print: (lines: string) => void): Promise<Log | undefined> {
  if (face.logLevel === undefined && face.logFile === undefined) return undefined;
  const file = face.logFile === undefined ? undefined : openPrivate(face.logFile);
  const secrets = new Set<string>();
  const write = (line: string): void => {
    let text = line;
    for (const secret of secrets) text = text.replaceAll(secret, CENSORED);
    // JSON leaves C1 and bidi controls as they are, and an error may quote what a peer has said.
    text = `${escapeJson(text.trimEnd())}\n`;
    if (file === undefined) return print(text);
    try {
      writeSync(file, text);
    } catch {
      // A full disk or a closed file must not end the transfer that is logged.
    }
  };
  const { pino } = await import('pino');
  const logger = pino(
    {
      level: face.logLevel ?? 'info',
      base: { pid: process.pid },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: pino.stdSerializers.errWithCause, error: pino.stdSerializers.errWithCause },
      formatters: {
        level: (label) => ({ level: label }),
        log: (fields) => redact(fields, 0) as object as Record<string, unknown>,
      },
    },
    { write },
  );
  return {
    logger,
    hide(secret) {
      if (secret.length < 4) return; // would blank half of every line
      // The line is JSON, where the secret stands in its escaped form.
      secrets.add(JSON.stringify(secret).slice(1, -1));
    },
    close() {
      if (file !== undefined) closeSync(file);
    },
  };
}

function openPrivate(path: string): number {
  try {
    const file = openSync(path, 'a', 0o600);
    // The mode above counts only for a new file.
    if (process.platform !== 'win32') fchmodSync(file, 0o600);
    return file;
  } catch (thrown) {
    throw asBeelineError(thrown, 'WRITE_FAILED', 'The log file cannot be opened');
  }
}

/** A copy with secret fields blanked. Errors stay whole for pino's serializers. */
export function redact(value: unknown, depth: number): unknown {
  if (value instanceof Error || value === null || typeof value !== 'object') return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (depth >= MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.slice(0, 100).map((item) => redact(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => {
      const secret =
        SECRET_NAME.test(name) || (name === 'code' && typeof item === 'string' && !ERROR_CODE.test(item));
      return [name, secret ? CENSORED : redact(item, depth + 1)];
    }),
  );
}
