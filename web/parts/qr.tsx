import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { qrPath } from '../model/qr.ts';

/** Dark on light in dark mode too: many scanners read nothing else. */
export function Qr({ text }: { text: string }): JSX.Element {
  const { size, path } = useMemo(() => qrPath(text), [text]);
  return (
    <svg
      id="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-labelledby="qr-title"
      shape-rendering="crispEdges"
    >
      <title id="qr-title">QR code of the link</title>
      <rect width={size} height={size} class="qr-light" />
      <path d={path} class="qr-dark" />
    </svg>
  );
}
