/** Destinations that keep less than ours: a library put before libc's makes an ordinary disk behave like FAT, exFAT or a share. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { makeFile, sameFile } from '../../bench/files.mjs';
import { until } from '../node/files/helpers.ts';
import { event, workspace } from './workspace.ts';

const SHIM = `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int lacks(const char *what) {
  const char *all = getenv("DISK_LACKS");
  return all != NULL && strstr(all, what) != NULL;
}
static const char *last(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash != NULL ? slash + 1 : path;
}
static int refused(const char *path) {
  if (!lacks("characters") || strpbrk(last(path), ":?*<>|") == NULL) return 0;
  errno = EINVAL;
  return 1;
}
static const char *cut(const char *path, char *into) {
  if (!lacks("endings")) return path;
  strncpy(into, path, PATH_MAX - 1);
  into[PATH_MAX - 1] = 0;
  for (size_t end = strlen(into); end > 1 && into[end - 1] == '.' && into[end - 2] != '/' && into[end - 2] != '.'; end--) into[end - 1] = 0;
  return into;
}
static void open_to_all(int fd) {
  __typeof__(&fchmod) change = (__typeof__(&fchmod))dlsym(RTLD_NEXT, "fchmod");
  if (fd >= 0 && lacks("modes")) change(fd, 0777);
  if (fd >= 0 && lacks("private")) change(fd, 0600);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  __typeof__(&chmod) change = (__typeof__(&chmod))dlsym(RTLD_NEXT, "chmod");
  if (refused(path)) return -1;
  int result = real(path, mode);
  if (result == 0 && (lacks("modes") || lacks("private"))) change(path, 0777);
  return result;
}
#define OPEN(name) \\
  int name(const char *path, int flags, ...) { \\
    REAL(name); \\
    va_list more; \\
    va_start(more, flags); \\
    mode_t mode = (flags & O_CREAT) ? va_arg(more, mode_t) : 0; \\
    va_end(more); \\
    if ((flags & O_CREAT) && refused(path)) return -1; \\
    int fd = real(path, flags, mode); \\
    if (flags & O_CREAT) open_to_all(fd); \\
    return fd; \\
  }
OPEN(open)
OPEN(open64)
int chmod(const char *path, mode_t mode) { REAL(chmod); return lacks("modes") || lacks("private") ? 0 : real(path, mode); }
int fchmod(int fd, mode_t mode) { REAL(fchmod); return lacks("modes") || lacks("private") ? 0 : real(fd, mode); }
int symlink(const char *target, const char *path) {
  REAL(symlink);
  if (!lacks("links")) return real(target, path);
  errno = EPERM;
  return -1;
}
int link(const char *from, const char *to) {
  REAL(link);
  char into[PATH_MAX];
  if (refused(to)) return -1;
  if (!lacks("links")) return real(from, cut(to, into));
  errno = EPERM;
  return -1;
}
int rename(const char *from, const char *to) {
  REAL(rename);
  char into[PATH_MAX];
  return refused(to) ? -1 : real(from, cut(to, into));
}
static const struct timespec *coarse(const struct timespec *times, struct timespec *into) {
  if (!lacks("times") || times == NULL) return times;
  for (int i = 0; i < 2; i++) {
    into[i].tv_sec = times[i].tv_sec - times[i].tv_sec % 2;
    into[i].tv_nsec = 0;
    if (into[i].tv_sec < 315532800) into[i].tv_sec = 315532800;
  }
  return into;
}
int futimens(int fd, const struct timespec times[2]) { REAL(futimens); struct timespec into[2]; return real(fd, coarse(times, into)); }
int utimensat(int at, const char *path, const struct timespec times[2], int flags) {
  REAL(utimensat);
  struct timespec into[2];
  return real(at, path, coarse(times, into), flags);
}
`;

function compiled(): string | undefined {
  if (process.platform !== 'linux') return undefined;
  const dir = mkdtempSync(join(tmpdir(), 'beeline-shim-'));
  after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'shim.c'), SHIM);
  try {
    execFileSync('gcc', ['-shared', '-fPIC', '-o', join(dir, 'shim.so'), join(dir, 'shim.c'), '-ldl'], {
      stdio: 'pipe',
    });
    return join(dir, 'shim.so');
  } catch (error) {
    if (process.env.CI) throw error;
    return undefined;
  }
}

const shim = compiled();
const lacking = (what: string) => ({ env: { LD_PRELOAD: shim ?? '', DISK_LACKS: what } });
const FAT = 'modes,links,characters,endings,times';
const staged = (path: string) => readdirSync(path).filter((name) => name.startsWith('.beeline-'));

describe('integration: a destination that keeps less', {
  skip: shim === undefined && 'needs Linux and gcc',
}, () => {
  it('where modes are fixed a killed receive goes on', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 24 << 20);
    const { sender, code, port } = await work.sender([work.path('one.bin'), '--limit', String(3 << 20)]);
    const to = work.folder('out');
    const receiver = work.receiver(code, port, ['--to', to], lacking('modes'));
    // Chunks that are whole: bytes are told of before one is, and each of four lanes may have one that is not.
    await receiver.until(({ event, bytes }) => event === 'progress' && Number(bytes) >= 8 << 20);
    sender.signal('SIGSTOP');
    const here = async (disk: string) =>
      (await work.start(['resume', to], lacking(disk)).ends(0)).events.map((line) => Number(line.here));
    await until('something certain', async () => (await here('modes')).some((bytes) => bytes > 0));
    await receiver.kill();
    const [name] = staged(to);
    assert.equal(statSync(join(to, name!)).mode & 0o777, 0o777);
    // Listed there, and not where the disk would have kept another mode.
    assert.equal((await here('modes')).length, 1);
    assert.equal((await here('nothing')).length, 0);
    sender.signal('SIGCONT');
    const received = await work.receiver(code, port, ['--to', to], lacking('modes')).ends(0);
    await sender.ends(0);
    assert.ok(Number(event(received, 'resumed').bytes) > 0);
    sameFile(work.path('one.bin'), join(to, 'one.bin'));
    assert.deepEqual(staged(to), []);
  });

  it('where files are private and folders open to all (fmask=0177, dmask=0) a file arrives', async (t) => {
    const work = workspace(t);
    makeFile(work.path('one.bin'), 100_000);
    await work.deliver([work.path('one.bin')], { receiver: lacking('private') });
    sameFile(work.path('one.bin'), work.path('out', 'one.bin'));
    assert.deepEqual(staged(work.path('out')), []);
  });

  it('verify knows other names, times and left-out links, and finds what differs under another name', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    for (const name of ['a', 'a.', 'b:c', 'z']) writeFileSync(join(tree, name), `content of ${name}`);
    symlinkSync('/etc/passwd', join(tree, 'out'));
    symlinkSync('b:c', join(tree, 'link'));
    writeFileSync(join(work.folder('tree', 'what?'), 'in'), 'below');
    utimesSync(join(tree, 'z'), 1, 1);
    const { received } = await work.deliver([tree], { receiver: lacking(FAT) });
    const receipt = String(event(received, 'done').receipt);
    const to = work.path('out');
    const verified = await work.start(['verify', receipt, to], lacking(FAT)).ends(0);
    assert.deepEqual(
      verified.events.map(({ event, note, path }) => [event, note, path].join(' ').trim()).sort(),
      [
        ...['left out tree/link', 'left out tree/out'].map((line) => `note ${line}`),
        ...['a.', 'b:c', 'what?'].map((name) => `note renamed tree/${name}`),
        'verified',
      ],
    );
    assert.deepEqual(staged(to), []);
    const differing = async () =>
      (await work.start(['verify', receipt, to], lacking(FAT)).ends(5)).events
        .filter(({ event }) => event === 'difference')
        .map(({ problem, path }) => `${problem} ${path}`);
    writeFileSync(join(to, 'tree', 'b_c'), 'longer than it was at first');
    assert.deepEqual(await differing(), ['size tree/b:c']);
    rmSync(join(to, 'tree', 'b_c'));
    rmSync(join(to, 'tree', 'what_', 'in'));
    assert.deepEqual(await differing(), ['missing tree/b:c', 'missing tree/what?/in']);
  });

  it('what it cannot hold is told before the first byte, and everything else arrives', async (t) => {
    const work = workspace(t);
    const tree = work.folder('tree');
    for (const [name, text] of Object.entries({
      a: 'first',
      'a.': 'second, longer',
      'b:c': 'third',
      z: 'last',
    }))
      writeFileSync(join(tree, name), text);
    symlinkSync('a', join(tree, 'link'));
    writeFileSync(join(work.folder('tree', 'what?'), 'in'), 'below');
    utimesSync(join(tree, 'z'), 1, 1);
    const { received, sent } = await work.deliver([tree], { receiver: lacking(FAT) });
    const out = work.path('out', 'tree');
    assert.deepEqual(readdirSync(out).sort(), ['a', 'a_', 'b_c', 'what_', 'z']);
    assert.equal(readFileSync(join(out, 'a'), 'utf8'), 'first');
    assert.equal(readFileSync(join(out, 'a_'), 'utf8'), 'second, longer');
    assert.equal(readFileSync(join(out, 'what_/in'), 'utf8'), 'below');
    const events = received.events.map((line) => line.event);
    const warned = received.events.flatMap(({ event, path }) => (event === 'warning' && path ? [path] : []));
    for (const name of ['a.', 'b:c', 'what?', 'link', 'z']) assert.ok(warned.includes(`tree/${name}`), name);
    assert.ok(events.lastIndexOf('warning') < events.indexOf('progress'), events.join());
    for (const side of [received, sent]) assert.equal(event(side, 'done').files, 5);
    assert.equal(event(received, 'done').bytes, event(sent, 'done').bytes);

    // Once more: all of it is there, by what such a disk can tell.
    const again = await work.deliver([tree], { receiver: lacking(FAT), receive: ['--update'] });
    assert.equal(event(again.received, 'done').files, 0);
    assert.deepEqual(readdirSync(out).sort(), ['a', 'a_', 'b_c', 'what_', 'z']);
  });
});
