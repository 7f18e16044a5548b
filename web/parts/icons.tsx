/** Drawn for this page: lines of one width, on a field of 24. */
import type { Kind } from '../model/kinds.ts';

const PATHS = {
  file: 'M7 3h7l4 4v14H7zM14 3v4h4',
  document: 'M7 3h7l4 4v14H7zM14 3v4h4M10 12h5M10 16h5',
  text: 'M4 6h16M4 12h16M4 18h10',
  folder: 'M3 6h6l2 2h10v11H3z',
  image: 'M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9h.01',
  video: 'M4 6h11v12H4zM15 10l5-3v10l-5-3',
  audio: 'M9 18V6l10-2v12M9 18a2.5 2 0 1 1-5 0 2.5 2 0 0 1 5 0zM19 16a2.5 2 0 1 1-5 0 2.5 2 0 0 1 5 0z',
  archive: 'M5 4h14v16H5zM12 4v3M12 9v2M10.5 13h3v4h-3z',
  computer: 'M5 5h14v10H5zM2.5 19h19',
  phone: 'M8 2.5h8v19H8zM11 18.5h2',
  terminal: 'M3 5h18v14H3zM7 10l3 2.5L7 15M12.5 15H17',
  people:
    'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3.5 19c.5-3.5 2.5-5 5.5-5s5 1.5 5.5 5M16 11a2.5 2.5 0 1 0 0-5M17 14c2.2.5 3.3 2 3.5 5',
  unknown: 'M9.5 9.5a2.5 2.5 0 1 1 3.5 2.3c-.8.4-1 .9-1 1.7M12 17h.01',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  cross: 'M6 6l12 12M18 6L6 18',
  open: 'M13 5h6v6M19 5l-8 8M17 13.5V19H5V7h5.5',
  share: 'M12 15V4M8 7.5L12 4l4 3.5M6 12H5v8h14v-8h-1',
} as const;

export type IconName = keyof typeof PATHS | Kind;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class={`icon ${name}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
