/** Where the server's log lines go; pino and console-like loggers fit. Never a body or a whole nameplate in one. */
export interface ServerLog {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export const SILENT: ServerLog = { debug() {}, info() {}, warn() {} };
