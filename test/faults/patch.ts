/**
 * Puts the modelled functions in the place of Node's, for calls that a life makes and about its folder. ESM imports
 * of builtins follow. What changes a disk and is not modelled is refused, so that no change is ever missed.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { COMPOSITES } from './composites.ts';
import type { Life } from './life.ts';
import { ON_DESCRIPTORS, ON_PATHS, type Operation, type Started } from './operations.ts';
import { Crash } from './plan.ts';

type Call = (...args: unknown[]) => unknown;
type Functions = { [name: string]: Call };
type Concerns = (life: Life, args: unknown[]) => boolean;

const READS = [
  'access',
  'exists',
  'lstat',
  'opendir',
  'readFile',
  'readdir',
  'readlink',
  'realpath',
  'stat',
  'statfs',
];
const READS_OF_DESCRIPTORS = ['fstat'];
const REFUSED = ['chown', 'copyFile', 'cp', 'createWriteStream', 'lchown', 'mkdtemp', 'truncate'];
const REFUSED_ON_DESCRIPTORS = ['fchown', 'readv', 'writev'];

const byPath: Concerns = (life, args) => life.concerns(args[0]);
const byEither: Concerns = (life, args) => life.concerns(args[0]) || life.concerns(args[1]);
const bySecond: Concerns = (life, args) => life.concerns(args[1]);
const byDescriptor: Concerns = (life, args) => life.files.has(args[0] as number);

/** @param current the life that the caller belongs to. Returns what puts everything back. */
export function patch(current: () => Life | undefined): () => void {
  const undo: (() => void)[] = [];
  const replace = (target: Functions, name: string, make: (original: Call) => Call) => {
    const original = target[name];
    if (!original) return;
    const wrapper = make(original);
    // promisify() looks for properties, and so do callers of realpath.native.
    for (const key of Reflect.ownKeys(original))
      if (key !== 'length' && key !== 'name' && key !== 'prototype')
        Object.defineProperty(wrapper, key, Object.getOwnPropertyDescriptor(original, key)!);
    target[name] = wrapper;
    undo.push(() => {
      target[name] = original;
    });
  };
  const guard = (
    concerns: Concerns,
    original: Call,
    instead: (life: Life, args: unknown[]) => unknown,
  ): Call =>
    function (this: unknown, ...args) {
      const life = current();
      return life && concerns(life, args) ? instead(life, args) : original.apply(this, args);
    };
  const both = (name: string, concerns: Concerns, operation: Operation) => {
    const files = fs as unknown as Functions;
    replace(files, `${name}Sync`, (original) =>
      guard(concerns, original, (life, args) => {
        const { result, finish } = operation(life, args, false);
        finish?.();
        return result;
      }),
    );
    // fs.exists has a signature of its own, and has been deprecated for ten years.
    if (name !== 'exists')
      replace(files, name, (original) =>
        guard(concerns, original, (life, args) => begin(life, args, operation)),
      );
  };

  for (const [name, operation] of Object.entries({ ...ON_PATHS, ...COMPOSITES })) {
    const concerns = { rename: byEither, link: byEither, symlink: bySecond }[name] ?? byPath;
    both(name, concerns, operation);
  }
  for (const [name, operation] of Object.entries(ON_DESCRIPTORS)) both(name, byDescriptor, operation);
  for (const name of READS) both(name, byPath, looks(name));
  for (const name of READS_OF_DESCRIPTORS) both(name, byDescriptor, looks(name));
  for (const name of REFUSED) both(name, byEither, refusal(name));
  for (const name of REFUSED_ON_DESCRIPTORS) both(name, byDescriptor, refusal(name));
  const promises = fs.promises as unknown as Functions;
  for (const [name, value] of Object.entries(promises)) {
    if (typeof value !== 'function') continue;
    const refuse = refusal(`promises.${name}`);
    replace(promises, name, (original) =>
      guard(byEither, original, async (life, args) => {
        if (!READS.includes(name)) refuse(life, args, true);
        life.plan.checkAlive();
        return original(...args);
      }),
    );
  }
  syncBuiltinESMExports();
  return () => {
    for (const put of undo) put();
    syncBuiltinESMExports();
  };
}

function looks(name: string): Operation {
  const original = (fs as unknown as Functions)[`${name}Sync`]!;
  return (life, args) => {
    life.plan.checkAlive();
    return { result: original(...args) };
  };
}

function refusal(name: string): Operation {
  return (_life, args) => {
    throw new Error(`the fault model does not know fs.${name}(${args[0]})`);
  };
}

/** The callback form: begins now, ends after some turns of the event loop, in no fixed order. */
function begin(life: Life, args: unknown[], operation: Operation): void {
  const tell = args.at(-1) as Call;
  let started: Started | undefined;
  let failure: unknown;
  try {
    started = operation(life, args.slice(0, -1), true);
  } catch (error) {
    failure = error;
  }
  later(1 + Math.floor(life.random() * 3), () => {
    try {
      if (!started) throw failure;
      // Nobody would be told; here the code under test shall come to its end.
      if (life.plan.crashed || life.plan.ended) throw new Crash();
      started.finish?.();
    } catch (error) {
      tell(error);
      return;
    }
    tell(null, started.result, args[1]);
  });
}

function later(turns: number, then: () => void): void {
  if (turns === 0) then();
  else setImmediate(later, turns - 1, then);
}
