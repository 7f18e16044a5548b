/** `sync` of coreutils as a child process: its effect in the model, without the process. */
import childProcess, { type ChildProcess } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { syncBuiltinESMExports } from 'node:module';
import { PassThrough } from 'node:stream';
import { promisify } from 'node:util';
import type { Life } from './life.ts';
import { type Started, synced } from './operations.ts';

type Call = (...args: unknown[]) => unknown;

/** Replaces what starts processes where it is `sync` of a life's folder. Returns what puts everything back. */
export function patchSyncCommand(current: () => Life | undefined): () => void {
  const processes = childProcess as unknown as { [name: string]: Call };
  const { execFile, spawn, execFileSync, spawnSync } = processes;
  const runs = (args: unknown[]) => {
    const life = current();
    const paths = Array.isArray(args[1]) ? args[1].filter((arg) => life?.concerns(arg)) : [];
    const command = String(args[0]).replace(/^.*\//, '');
    return life && command === 'sync' && paths.length > 0
      ? { life, options: args[1] as string[], paths }
      : undefined;
  };
  const start = (args: unknown[], tell?: Call) => {
    const run = runs(args);
    return run && imitate(run.life, () => sync(run.life, run.options, run.paths), tell);
  };
  const patchedExecFile: Call = (...args) => {
    const tell = typeof args.at(-1) === 'function' ? (args.at(-1) as Call) : undefined;
    return start(args, tell) ?? execFile!(...args);
  };
  Object.defineProperty(patchedExecFile, promisify.custom, {
    value: (...args: unknown[]) =>
      new Promise((resolve, reject) => {
        patchedExecFile(...args, (error: unknown, stdout: unknown, stderr: unknown) =>
          error ? reject(error) : resolve({ stdout, stderr }),
        );
      }),
  });
  processes.execFile = patchedExecFile;
  processes.spawn = (...args) => start(args) ?? spawn!(...args);
  processes.execFileSync = (...args) => {
    const run = runs(args);
    if (!run) return execFileSync!(...args);
    sync(run.life, run.options, run.paths).finish?.();
    return Buffer.alloc(0);
  };
  processes.spawnSync = (...args) => {
    const run = runs(args);
    if (!run) return spawnSync!(...args);
    const empty = { pid: 1, signal: null, stdout: Buffer.alloc(0), output: [] };
    try {
      sync(run.life, run.options, run.paths).finish?.();
      return { ...empty, status: 0, stderr: Buffer.alloc(0) };
    } catch (error) {
      run.life.plan.checkAlive();
      return { ...empty, status: 1, stderr: Buffer.from(String(error)) };
    }
  };
  syncBuiltinESMExports();
  return () => {
    Object.assign(processes, { execFile, spawn, execFileSync, spawnSync });
    syncBuiltinESMExports();
  };
}

function sync(life: Life, options: string[], paths: string[]): Started {
  if (options.some((option) => option === '-f' || option === '--file-system'))
    return synced(life, 'syncfs', '.', () => life.model.beginSyncAll());
  const kind = options.some((option) => option === '-d' || option === '--data') ? 'fdatasync' : 'fsync';
  const all = paths.map((path) =>
    synced(life, kind, life.shown(path), () => life.model.beginSync(life.at(path), kind), life.at(path)),
  );
  return { finish: () => all.map(({ finish }) => finish?.()) };
}

function imitate(life: Life, run: () => Started, tell?: Call): ChildProcess {
  const streams = { stdin: null, stdout: new PassThrough(), stderr: new PassThrough() };
  const child = Object.assign(new EventEmitter(), streams, {
    pid: 1,
    exitCode: null as number | null,
    kill: () => false,
    ref() {},
    unref() {},
  });
  let started: Started | undefined;
  let failure: unknown;
  try {
    started = run();
  } catch (error) {
    failure = error;
  }
  setImmediate(() => {
    const dead = life.plan.crashed || life.plan.ended;
    if (started && !dead) started.finish?.();
    child.exitCode = started && !dead ? 0 : 1;
    streams.stdout.end();
    streams.stderr.end(failure ? `sync: ${failure}\n` : '');
    child.emit('exit', child.exitCode, null);
    child.emit('close', child.exitCode, null);
    const error =
      child.exitCode === 0
        ? null
        : Object.assign(new Error(`Command failed: sync (${failure})`), { code: 1 });
    tell?.(error, '', failure ? `sync: ${failure}\n` : '');
  });
  return child as unknown as ChildProcess;
}
