/**
 * Every failure a person or a program can meet, by a stable code. Texts say what happened and what to do next;
 * `cause` keeps the underlying error for logs. Goal: nothing is thrown across a layer that is not one of these.
 */

import type { ErrorCode } from './error-codes.ts';
import { quoted } from './printable.ts';
import { REASONS, type Reason, type Text } from './reasons.ts';

export type { ErrorCode } from './error-codes.ts';
export type { Reason } from './reasons.ts';

export interface ErrorDetail {
  /** The one cause, where the code stands for several. */
  reason?: Reason | undefined;
  /** The underlying error, for logs. */
  cause?: unknown;
  /** Paths the error is about, relative as in the manifest, unescaped. */
  paths?: readonly string[];
  /** Facts that its sentence is made of. */
  values?: ReasonValues | undefined;
}

/** What the text of a reason is filled with, by the names in its braces, for whoever says it in words of another language. */
export type ReasonValues = Readonly<Record<string, string | number>>;

/**
 * The only error type that leaves the library, with `DeliveryError` as its one subclass. `message` is written for a person; `code` and `reason` are for programs: the code
 * says what kind of failure it is, the reason which one of them.
 */
export class BeelineError extends Error {
  override readonly name = 'BeelineError';
  readonly code: ErrorCode;
  readonly reason: Reason | undefined;
  readonly paths: readonly string[];
  /** What fills the text of its reason. Absent where the sentence is another one. */
  readonly values: ReasonValues | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.reason = detail.reason;
    this.paths = detail.paths ?? [];
    this.values = detail.values;
  }
}

type Slots<T extends string> = T extends `${string}{${infer Slot}}${infer Rest}` ? Slot | Slots<Rest> : never;
/** What a reason's text leaves open. */
type Values<R extends Reason, Known extends string = never> = {
  readonly [S in Exclude<Slots<Text<R>>, Known>]: string | number;
};
type Rest<V> = keyof V extends never ? [values?: V, detail?: ErrorDetail] : [values: V, detail?: ErrorDetail];

type Fault<R extends Reason> = (reason: R, values: Values<R>, detail: ErrorDetail) => BeelineError;

/** The error of one cause, with the code and the text that the table of reasons has for it. */
export function fault<R extends Reason>(reason: R, ...[values, detail]: Rest<Values<R>>): BeelineError {
  const [code, text] = REASONS[reason];
  const filled = text.replace(/\{(\w+)\}/g, (_, slot: string) =>
    String(values?.[slot as keyof typeof values]),
  );
  return new BeelineError(code, filled, { ...detail, reason, values: { ...values, ...detail?.values } });
}

/** The error of one cause about one path: quoted in the text, and as it is for programs. */
export function faultAt<R extends Reason>(
  reason: R,
  path: string,
  values?: Values<R, 'path'>,
  cause?: unknown,
): BeelineError {
  const all = { ...values, path: quoted(path) } as unknown as Values<R>;
  return (fault as Fault<R>)(reason, all, { cause, paths: [path] });
}

/** A reason that somebody else named, if this Beeline knows it, and it belongs to the code that they named. */
export function knownReason(reason: string | undefined, code: ErrorCode): Reason | undefined {
  const known = reason !== undefined && Object.hasOwn(REASONS, reason) ? (reason as Reason) : undefined;
  return known && REASONS[known][0] === code ? known : undefined;
}

/** Wraps anything thrown as the error of this cause, its own text as `why`; keeps a BeelineError as it is. */
export function faultFrom<R extends Reason>(
  thrown: unknown,
  reason: R,
  ...[values]: Rest<Values<R, 'why'>>
): BeelineError {
  if (thrown instanceof BeelineError) return thrown;
  const why = thrown instanceof Error ? thrown.message : String(thrown);
  const all = { ...values, why } as unknown as Values<R>;
  return (fault as Fault<R>)(reason, all, { cause: thrown });
}

/** The same error in other words, and of these paths. */
export function retold(error: BeelineError, message: string, paths = error.paths): BeelineError {
  return new BeelineError(error.code, message, { reason: error.reason, cause: error, paths });
}

/** One error in the words of the first, with the paths of all. */
export function together(failures: readonly BeelineError[]): BeelineError {
  const first = failures[0]!;
  if (failures.length === 1) return first;
  const text = `${first.message} ${failures.length - 1} more files beside it changed or cannot be read.`;
  return retold(
    first,
    text,
    failures.flatMap((failure) => failure.paths),
  );
}

/** Wraps anything thrown as a BeelineError, keeping one that is such already. */
export function asBeelineError(thrown: unknown, code: ErrorCode = 'INTERNAL', context = ''): BeelineError {
  if (thrown instanceof BeelineError) return thrown;
  const text = thrown instanceof Error ? thrown.message : String(thrown);
  return new BeelineError(code, context ? `${context}: ${text}` : text, { cause: thrown });
}

/** @throws BeelineError INTERRUPTED if somebody has told it to end */
export function unlessInterrupted(signal: AbortSignal | undefined, before = 'it began'): void {
  if (signal?.aborted) throw new BeelineError('INTERRUPTED', `Interrupted before ${before}.`);
}

/** The `code` of a system error, '' for anything else. */
export function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
