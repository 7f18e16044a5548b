/** Functions of node:fs that are several operations, each of which may fail: Node does them out of our reach. */
import type { PathLike } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Life } from './life.ts';
import { mkdirOne, ON_DESCRIPTORS, ON_PATHS, type Operation } from './operations.ts';
import { real } from './real.ts';

const mkdir: Operation = (life, [path, options]) => {
  const { recursive = false, mode } =
    typeof options === 'object' && options ? optionsOf(options) : { mode: options };
  if (!recursive) {
    mkdirOne(life, path as PathLike, mode as number | undefined);
    return {};
  }
  const missing: string[] = [];
  for (let at = String(path); !real.existsSync(at); at = dirname(at)) missing.unshift(at);
  life.plan.checkAlive();
  for (const each of missing) mkdirOne(life, each, mode as number | undefined);
  return { result: missing[0] };
};

const rm: Operation = (life, [path, options]) => {
  const { recursive = false, force = false } = optionsOf(options);
  life.plan.checkAlive();
  if (force && !real.lstatSync(path as PathLike, { throwIfNoEntry: false })) return {};
  remove(life, String(path), recursive === true);
  return {};
};

function remove(life: Life, path: string, recursive: boolean): void {
  if (!real.lstatSync(path).isDirectory()) {
    ON_PATHS.unlink!(life, [path], false);
    return;
  }
  if (!recursive)
    throw Object.assign(new Error(`Path is a directory: rm ${path}`), { code: 'ERR_FS_EISDIR' });
  for (const name of real.readdirSync(path)) remove(life, join(path, name), true);
  ON_PATHS.rmdir!(life, [path], false);
}

function writeFile(flag: string): Operation {
  return (life, [path, data, options]) => {
    const given = typeof options === 'string' ? {} : optionsOf(options);
    const fd = ON_PATHS.open!(life, [path, given.flag ?? flag, given.mode], false).result as number;
    const bytes = typeof data === 'string' ? Buffer.from(data) : (data as Uint8Array);
    try {
      for (let at = 0; at < bytes.length; ) {
        const { result, finish } = ON_DESCRIPTORS.write!(life, [fd, bytes.subarray(at)], false);
        finish?.();
        at += result as number;
      }
      if (given.flush) ON_DESCRIPTORS.fsync!(life, [fd], false).finish?.();
    } finally {
      ON_DESCRIPTORS.close!(life, [fd], false);
    }
    return {};
  };
}

function optionsOf(options: unknown): { [name: string]: unknown } {
  return (options ?? {}) as { [name: string]: unknown };
}

export const COMPOSITES: { readonly [name: string]: Operation } = {
  mkdir,
  rm,
  writeFile: writeFile('w'),
  appendFile: writeFile('a'),
};
