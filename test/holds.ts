/**
 * Runs some work, and tells the longest time in milliseconds for which it kept the event loop, as processor time of this
 * process, so that a machine that stands still counts for nothing. Collecting garbage is part of it.
 */
export async function longestHold<T>(work: () => Promise<T>): Promise<{ value: T; held: number }> {
  let held = 0;
  let over = false;
  let last = process.cpuUsage();
  const look = () => {
    const { user, system } = process.cpuUsage(last);
    held = Math.max(held, (user + system) / 1000);
    last = process.cpuUsage();
    if (!over) setTimeout(look, 1);
  };
  setTimeout(look, 1);
  const value = await work();
  over = true;
  look();
  return { value, held };
}
