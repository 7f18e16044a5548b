import type { JSX } from 'preact';

/** Two places, and the straight line between them. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 64 64" aria-hidden="true" focusable="false">
      <rect width="64" height="64" rx="15" class="mark-ground" />
      <path d="M24.1 39.9 39.9 24.1" class="mark-line" />
      <circle cx="16" cy="48" r="7" class="mark-from" />
      <circle cx="48" cy="16" r="6" class="mark-to" />
    </svg>
  );
}
