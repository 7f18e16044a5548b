/** What is to be reached, once for those who measure it and for the documents. */
export const GOALS = {
  /** Times the speed of a rival. */
  scp: 1.2,
  pump: 0.6,
  rsync: 1.5,
  tar: 1,
  /** Share of the throughput that syncing leaves. */
  synced: 0.9,
  /** What a file of the largest tree may cost, in parts of what one of the smallest does. */
  linear: 1.25,
  /** CPU seconds a GiB of the busiest of so many threads. */
  threads: { count: 4, seconds: 0.4 },
  /** Seconds until both have ended, and milliseconds to the first bytes on a LAN. */
  start: { seconds: 0.2, lanMs: 300 },
  /** Percent of a wide-area link, by the loss on it. */
  wan: { 0.1: 90, 1: 90, 2: 80, 5: 80 },
  /** Seconds for 10 MB over the path with this round trip in milliseconds and this loss in percent. */
  small: { rtt: 200, loss: 2, seconds: 3 },
  /** Percent of its due that a CUBIC stream keeps beside a transfer. */
  kept: 33,
};
