// For `node --import`: an installation without the optional node-datachannel, as on a platform that it has no binary for.
import { register } from 'node:module';

const hook = `export function resolve(specifier, context, next) {
  if (!specifier.startsWith('node-datachannel')) return next(specifier, context);
  const error = new Error("Cannot find package '" + specifier + "'");
  error.code = 'ERR_MODULE_NOT_FOUND';
  throw error;
}`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);
