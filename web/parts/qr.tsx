/** A link as a picture that a camera reads. */
import { useMemo } from 'preact/hooks';
import { qrPath } from '../model/qr.ts';
import { say } from '../words/index.ts';

/** Dark on light in dark mode too: many scanners read nothing else. */
export function Qr({ text }: { text: string }) {
  const { size, path } = useMemo(() => qrPath(text), [text]);
  return (
    <svg
      id="qr"
      viewBox={`0 0 ${size} ${size}`}
      role="img"
      aria-labelledby="qr-title"
      shape-rendering="crispEdges"
    >
      <title id="qr-title">{say('waiting.qr')}</title>
      <rect width={size} height={size} fill="#fff" />
      <path d={path} fill="#000" />
    </svg>
  );
}
