/** Numbers as people read them. Sizes are bytes with SI prefixes (1 kB = 1000 B), times seconds. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** 1234567 as '1.23 MB': three significant digits, so that the width of a changing number stays put. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let step = 0;
  // 999.5 would round to '1000', which belongs to the next prefix.
  while (value >= (step === 0 ? 1000 : 999.5) && step < PREFIXES.length - 1) {
    value /= 1000;
    step++;
  }
  if (step === 0) return `${Math.floor(value)} B`;
  const digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return `${value.toFixed(digits)} ${PREFIXES[step]}B`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

const pad = (value: number): string => String(value).padStart(2, '0');

/** 0.42 as '0.4s', 75 as '1m 15s', 8000 as '2h 13m'. */
export function formatDuration(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${pad(whole % 60)}s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 24 * 60) return `${Math.floor(minutes / 60)}h ${pad(minutes % 60)}m`;
  const hours = Math.floor(minutes / 60);
  return `${Math.floor(hours / 24)}d ${pad(hours % 24)}h`;
}

/** '1 file', '3 files', '41,000 files'. */
export function count(amount: number, noun: string): string {
  const digits = String(amount).replace(/\B(?=(?:\d{3})+$)/g, ',');
  return `${digits} ${noun}${amount === 1 ? '' : 's'}`;
}

/** What a manifest or an offer holds: '3 files, 1 folder, 1.20 GB', or 'a text, 83 B'. Empty kinds are left out. */
export function contents(offer: {
  kind?: 'files' | 'text' | 'stream';
  files: number;
  folders: number;
  links: number;
  bytes: number | null;
}): string {
  if (offer.kind === 'text') return `a text, ${formatBytes(offer.bytes ?? 0)}`;
  const parts = [
    offer.files > 0 ? count(offer.files, 'file') : '',
    offer.folders > 0 ? count(offer.folders, 'folder') : '',
    offer.links > 0 ? count(offer.links, 'link') : '',
    offer.bytes === null ? 'of unknown size' : formatBytes(offer.bytes),
  ];
  return parts.filter((part) => part !== '').join(', ');
}
