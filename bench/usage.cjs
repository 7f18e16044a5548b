// Preloaded into a measured Node process (`--require`): leaves its CPU time, its peak memory and what it read and
// wrote in a file as it exits.
// VmHWM and not maxRSS: the kernel carries a parent's peak over exec into ru_maxrss.
const { readFileSync, writeFileSync } = require('node:fs');

const file = process.env.BENCH_USAGE;
const syncs = process.env.BENCH_SYNCS ? require('./syncs.cjs') : undefined;

// Threads load it too, and what they used is in the process's sums.
if (require('node:worker_threads').isMainThread) process.on('exit', leave);

function leave() {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const peak = number('/proc/self/status', /^VmHWM:\s+(\d+) kB$/m);
  // proc(5): bytes through read(2), write(2) and their kin, of files, pipes and sockets alike.
  const read = number('/proc/self/io', /^rchar: (\d+)$/m);
  const written = number('/proc/self/io', /^wchar: (\d+)$/m);
  writeFileSync(
    file,
    JSON.stringify({
      cpu: (userCPUTime + systemCPUTime) / 1e6,
      rss: (peak ?? maxRSS) * 1024,
      read,
      written,
      syncs: syncs?.count(),
    }),
  );
}

/** Undefined where there is no /proc (macOS). */
function number(path, pattern) {
  try {
    return Number(pattern.exec(readFileSync(path, 'utf8'))[1]);
  } catch {
    return undefined;
  }
}
