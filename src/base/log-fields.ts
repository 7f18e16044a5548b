/** Text from outside that goes into a log. It must not steer the terminal of a person who reads the log. */
import { harmless } from './callback.ts';
import { escapeName } from './printable.ts';

/** UTF-16 units of one string, so that a stranger's text fills no disk. */
const MAX_TEXT = 512;
const MAX_DEPTH = 5;
const MAX_ITEMS = 100;

/** The methods of a logger that are used; pino and console-like ones fit. */
type Level = 'debug' | 'info' | 'warn' | 'error';
type Line = (fields: object, message: string) => void;

/**
 * The same logger, in which every string is escaped and has an end, whatever the lines are made of and wherever they go. It
 * does not throw.
 */
export function escapingLog<T extends Partial<Record<Level, Line>>>(log: T): T {
  const line = (level: Level): Line =>
    harmless(`the log's \`${level}\``, (fields: object, message: string) =>
      log[level]?.(escaped(fields, 0) as object, escapeName(message)),
    );
  const levels: Record<Level, Line> = {
    debug: line('debug'),
    info: line('info'),
    warn: line('warn'),
    error: line('error'),
  };
  return levels as unknown as T;
}

/** Errors and bytes stay as they are, since a logger has its own way to write them. */
function escaped(value: unknown, depth: number): unknown {
  if (typeof value === 'string')
    return escapeName(value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}…` : value);
  if (value === null || typeof value !== 'object' || value instanceof Error || ArrayBuffer.isView(value))
    return value;
  if (depth >= MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => escaped(item, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [escapeName(name), escaped(item, depth + 1)]),
  );
}
