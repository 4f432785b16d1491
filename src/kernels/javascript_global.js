// What cells find in the global scope beside node's own names.
'use strict';

const { apply } = kernel;
const { defineProperty } = Object;

// Defined when first used.
function lazy(name, make) {
  defineProperty(globalThis, name, {
    __proto__: null, configurable: true, enumerable: false,
    get() {
      const value = make();
      put(name, value);
      return value;
    },
    set(value) {
      put(name, value);
    },
  });
}

function put(name, value) {
  defineProperty(globalThis, name, {
    __proto__: null, value, writable: true, configurable: true, enumerable: false,
  });
}

// ---- timers ----

const durations = { __proto__: null };
const intervals = new WeakMap();
const { set: remember, get: recall } = WeakMap.prototype;
const originals = { __proto__: null, setTimeout, setInterval };

// An interrupt stops what its cell has begun, which node cannot enumerate: it keeps a list for each
// duration, so that it is enough to know these.
exports.timersOf = (timer) => apply(recall, intervals, [timer]);
exports.durations = durations;
exports.originals = originals;

function note(after) {
  const duration = after >= 1 && after <= 2147483647 ? Math.trunc(after) : 1;
  durations[duration] = true;
}

function followTimers() {
  const custom = Symbol.for('nodejs.util.promisify.custom');
  put('setTimeout', function setTimeout(callback, after) {
    note(after);
    return apply(originals.setTimeout, this, arguments);
  });
  defineProperty(globalThis.setTimeout, custom, {
    __proto__: null, enumerable: true, configurable: true,
    get() {
      const sleep = originals.setTimeout[custom];
      return function setTimeout(after) {
        note(after);
        return apply(sleep, this, arguments);
      };
    },
  });
  put('setInterval', function setInterval(callback, after) {
    note(after);
    const timer = apply(originals.setInterval, this, arguments);
    apply(remember, intervals, [timer, kernel.cell]);
    return timer;
  });
  for (const name of ['setTimeout', 'setInterval']) {
    defineProperty(globalThis, name, { __proto__: null, enumerable: true });
  }
}

// ---- require() ----

// Node before 22 never looks again for a package.json that was not there: one that is installed
// after it was missed would not be found for as long as this runs. So node is not asked for what
// is nowhere. What was installed is in the home, wherever the code runs.
function openRequire() {
  const { require: native } = globalThis;
  const { isBuiltin, createRequire } = require('module');
  const { existsSync } = require('fs');
  const { resolve } = native;
  const filename = `${process.cwd()}/[eval]`;
  const suffixes = ['', '.js', '.json', '.node', '.cjs'];

  const home = process.env.HOME || '/';
  const ofHome = createRequire(`${home}/[eval]`);

  // The function that finds it.
  function choose(specifier) {
    if (typeof specifier !== 'string' || specifier === '' || /^[./#]/.test(specifier) ||
        isBuiltin(specifier)) return native;
    const parts = specifier.split('/');
    const name = specifier[0] === '@' ? `${parts[0]}/${parts[1]}` : parts[0];
    for (const folder of resolve.paths(specifier)) {
      for (const suffix of suffixes) if (existsSync(`${folder}/${name}${suffix}`)) return native;
    }
    for (const suffix of suffixes) {
      if (existsSync(`${home}/node_modules/${name}${suffix}`)) return ofHome;
    }
    // Node has read this variable at its start; what the host exposes comes later.
    for (const folder of (process.env.NODE_PATH || '').split(':')) {
      if (folder[0] === '/' && existsSync(`${folder}/${name}`)) {
        return createRequire(`${folder}/../[eval]`);
      }
    }
    const error = new Error(`Cannot find module '${specifier}'\nRequire stack:\n- ${filename}`);
    error.code = 'MODULE_NOT_FOUND';
    error.requireStack = [filename];
    throw error;
  }

  function checked(specifier) {
    return choose(specifier)(specifier);
  }
  checked.resolve = function (specifier, options) {
    if (options === undefined) return choose(specifier).resolve(specifier);
    return resolve(specifier, options);
  };
  Object.assign(checked.resolve, resolve);
  defineProperty(checked, 'name', { __proto__: null, value: 'require' });
  put('require', Object.assign(checked, native, { resolve: checked.resolve }));
}

// ---- warnings and signals ----

const OURS = /^(?:vm\.USE_MAIN_CONTEXT_DEFAULT_LOADER|stripTypeScriptTypes|Importing WASM)/;

function quiet() {
  // The kernel's use of an experimental feature is none of the code's business.
  const [print] = process.listeners('warning');
  if (print !== undefined) {
    process.removeListener('warning', print);
    process.on('warning', (warning) => {
      if (warning.name !== 'ExperimentalWarning' || !kernel.matches(OURS, warning.message)) {
        apply(print, process, [warning]);
      }
    });
  }
  // A handler of the code for SIGINT would take the interrupt from the kernel.
  const starts = process.listeners('newListener');
  process.removeAllListeners('newListener');
  process.on('newListener', (name, listener) => {
    for (let i = 0; name !== 'SIGINT' && i < starts.length; i += 1) {
      apply(starts[i], process, [name, listener]);
    }
  });
}

exports.open = function () {
  put('__dirname', process.cwd());
  put('__filename', `${process.cwd()}/[eval]`);
  lazy('display', () => part('javascript_display').display);
  lazy('$$', () => part('javascript_display').context);
  // Stands for import() in cells, where V8 has no loader for it: see javascript_syntax.js.
  put('$mport', importDynamic);
  lazy('$const', () => part('javascript_names').refuser); // see javascript_names.js
  followTimers();
  openRequire();
  quiet();
};

function importDynamic(specifier, options) {
  return part('javascript_syntax').loader()(specifier, options);
}
importDynamic.static = (specifier, options) =>
  part('javascript_syntax').importStatement(specifier, options);
