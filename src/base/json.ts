/**
 * JSON from outside, read against a schema. What the schema does not name does not count, and no error quotes the input.
 * Pure; on valibot.
 */
import * as v from 'valibot';

/** A number beyond is no version. */
const MAX_VERSION = 1e6;
/** It stops at the first fault, so that a hostile list makes no list of faults. */
const CONFIG = { abortEarly: true, abortPipeEarly: true } as const;

/** @throws what `refuse` makes of a fault, told in words such as "a malformed 'token'" */
export function readJson<S extends v.GenericSchema>(
  schema: S,
  text: string,
  refuse: (fault: string, cause?: unknown) => Error,
): v.InferOutput<S> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse('text that is not JSON', cause);
  }
  return readValue(schema, value, refuse);
}

/** As `readJson`, of what was parsed already. */
export function readValue<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  refuse: (fault: string) => Error,
): v.InferOutput<S> {
  const { success, output, issues } = v.safeParse(schema, value, CONFIG);
  if (success) return output;
  throw refuse(faultOf(issues[0]));
}

/** Undefined for what is no such JSON. */
export function tryJson<S extends v.GenericSchema>(schema: S, text: string): v.InferOutput<S> | undefined {
  try {
    return readJson(schema, text, () => new Error());
  } catch {
    return undefined;
  }
}

function faultOf(issue: v.BaseIssue<unknown>): string {
  // The name of an unknown field is the other side's text.
  if (issue.expected === 'never') return 'an unknown field';
  const field = v.getDotPath(issue);
  if (field === null) return 'JSON of another shape';
  return issue.input === undefined ? `no '${field}'` : `a malformed '${field}'`;
}

/** An object with these fields and no others. */
export function only<E extends v.ObjectEntries>(entries: E) {
  // Without a prototype: `constructor` is no field of it.
  return v.strictObject(Object.assign(Object.create(null), entries) as E);
}

/** Longer ones are refused before their items are looked at. */
export function list<S extends v.GenericSchema>(item: S, max: number) {
  return v.pipe(v.array(v.unknown()), v.maxLength(max), v.array(item));
}

/** An object of whatever is called so. @param key what each of its names must match */
export function record(key: RegExp, max: number) {
  return v.custom<Record<string, unknown>>((value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    const keys = Object.keys(value);
    return keys.length <= max && keys.every((each) => key.test(each));
  });
}

export function count(max: number, min = 0) {
  return v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max));
}

/** @param max UTF-16 units */
export function text(max: number) {
  return v.pipe(v.string(), v.maxLength(max));
}

/** Lower case. */
export function hex(bytes: number) {
  return v.pipe(v.string(), v.regex(new RegExp(`^[0-9a-f]{${2 * bytes}}$`)));
}

/** What this side speaks. @param other what to throw for a number that is another version */
export function version<const N extends number>(ours: N, other: (theirs: number) => Error) {
  const check = (theirs: number): theirs is N => {
    if (theirs !== ours) throw other(theirs);
    return true;
  };
  return v.pipe(count(MAX_VERSION), v.guard(check));
}
