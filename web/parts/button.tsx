import type { JSX } from 'preact';

/** @param kind the one that is expected next, or one that stands back */
export function Button(props: {
  label: string;
  act: () => unknown;
  kind?: 'primary' | 'quiet';
  disabled?: boolean;
  describedBy?: string | undefined;
}): JSX.Element {
  const { label, act, kind, disabled, describedBy } = props;
  return (
    <button
      type="button"
      class={kind}
      disabled={disabled}
      aria-describedby={describedBy}
      onClick={() => act()}
    >
      {label}
    </button>
  );
}
