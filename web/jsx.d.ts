import 'preact';

declare module 'preact' {
  interface InputHTMLAttributes {
    /** https://wicg.github.io/entries-api/ */
    webkitdirectory?: boolean;
  }
}
