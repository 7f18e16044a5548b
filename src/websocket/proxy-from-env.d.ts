/** The package has no types of its own. */
declare module 'proxy-from-env' {
  /** The proxy's URL that the environment names for a URL; '' for none. */
  export function getProxyForUrl(url: string | URL): string;
}
