// As on a machine for which the native module is not built: `node --require` this.
const Module = require('node:module');
const load = Module._load;
Module._load = function (name, ...rest) {
  if (String(name).startsWith('@napi-rs/blake-hash')) throw new Error('not here');
  return load.call(this, name, ...rest);
};
