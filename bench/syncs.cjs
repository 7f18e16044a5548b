// Loaded by usage.cjs where BENCH_SYNCS is set: counts every wish to make something durable, and, if it is `skip`, says
// at once that it is. So production code needs no switch for it. On a disk 'without' then measures the page cache
// only: nothing waits for the disk, and a power cut would take all of it.
const childProcess = require('node:child_process');
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const skip = process.env.BENCH_SYNCS === 'skip';
let calls = 0;

for (const name of ['fsync', 'fdatasync']) {
  const real = fs[name];
  fs[name] = (fd, done) => {
    calls++;
    if (skip) setImmediate(done, null);
    else real(fd, done);
  };
  const realSync = fs[`${name}Sync`];
  fs[`${name}Sync`] = (fd) => {
    calls++;
    if (!skip) realSync(fd);
  };
}

const { execFile } = childProcess;
childProcess.execFile = (path, ...rest) => {
  if (!/(^|\/)sync$/.test(path)) return execFile(path, ...rest);
  calls++;
  if (!skip) return execFile(path, ...rest);
  setImmediate(rest.at(-1), null, '', '');
};

// Named imports of built-in modules follow from here on.
syncBuiltinESMExports();

// The class of what fs.promises.open gives has no other way to be reached.
fs.promises.open(__filename).then((handle) => {
  const prototype = Object.getPrototypeOf(handle);
  for (const name of ['sync', 'datasync']) {
    const real = prototype[name];
    prototype[name] = function () {
      calls++;
      return skip ? Promise.resolve() : real.call(this);
    };
  }
  return handle.close();
});

exports.count = () => calls;
