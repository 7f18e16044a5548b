// Preloaded into a measured Node process (`--require`): leaves its CPU time and peak memory in a file as it exits.
// VmHWM and not maxRSS: the kernel carries a parent's peak over exec into ru_maxrss.
const { readFileSync, writeFileSync } = require('node:fs');

const file = process.env.BENCH_USAGE;
process.on('exit', () => {
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  let peak = maxRSS * 1024;
  try {
    peak = Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
  } catch {
    // No /proc here (macOS): maxRSS has to do.
  }
  writeFileSync(file, JSON.stringify({ cpu: (userCPUTime + systemCPUTime) / 1e6, rss: peak }));
});
