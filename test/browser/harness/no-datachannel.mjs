// For `node --import`: an installation without the optional node-datachannel, as on a platform that it has no binary for.
import Module, { register } from 'node:module';

const hook = `export function resolve(specifier, context, next) {
  if (!specifier.startsWith('node-datachannel')) return next(specifier, context);
  const error = new Error("Cannot find package '" + specifier + "'");
  error.code = 'ERR_MODULE_NOT_FOUND';
  throw error;
}`;
// What the command, which is one CommonJS script, loads.
const real = Module._resolveFilename;
Module._resolveFilename = function resolve(request, ...rest) {
  if (!request.startsWith('node-datachannel')) return real.call(this, request, ...rest);
  throw Object.assign(new Error(`Cannot find module '${request}'`), { code: 'MODULE_NOT_FOUND' });
};
register(`data:text/javascript,${encodeURIComponent(hook)}`);
