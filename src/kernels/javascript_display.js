// Results: what display() and $$ show, and values that are no plain ones.
'use strict';

const { apply, encode, inspect, unquote, show, matches } = kernel;
const { from } = kernel.Buffer;
const { stringify } = JSON;
const { isArray } = Array;
const { keys, getPrototypeOf, hasOwn } = Object;
const { isUint8Array } = require('util').types;
const clean = part('javascript_error').cleanOutput;

const PARTS = {
  __proto__: null, 'text/plain': 'text', 'text/html': 'html', 'text/markdown': 'markdown',
  'image/svg+xml': 'svg', 'image/png': 'png', 'image/jpeg': 'jpeg', 'application/pdf': 'pdf',
  'text/latex': 'latex', 'application/json': 'json', 'application/javascript': 'javascript',
  'e2b/data': 'data', 'e2b/chart': 'chart',
};
const BINARY = { __proto__: null, png: true, jpeg: true, pdf: true };
const JSON_PARTS = { __proto__: null, json: true, data: true, chart: true };
const MIME = /^[a-z]+\/[\w.+-]+$/;
const JUPYTER = Symbol.for('Jupyter.display');
const HOOKS = {
  __proto__: null, _toHtml: 'html', _toSvg: 'svg', _toPng: 'png', _toJpeg: 'jpeg',
};

function toBytes(name, value) {
  if (isUint8Array(value)) return value;
  if (BINARY[name]) return from(`${value}`, 'base64');
  if (JSON_PARTS[name]) {
    const text = stringify(value);
    if (text === undefined) {
      throw new TypeError(`display: no JSON can be made of ${inspect(value)}`);
    }
    return encode(text);
  }
  return encode(typeof value === 'string' ? value : `${value}`);
}

// A bundle names its texts and pictures by MIME type.
function isBundle(value) {
  if (value === null || typeof value !== 'object' || isArray(value)) return false;
  const names = keys(value);
  if (names.length === 0) return false;
  for (let i = 0; i < names.length; i += 1) {
    if (!matches(MIME, names[i])) return false;
  }
  return true;
}

function addBundle(values, bundle) {
  const names = keys(bundle);
  for (let i = 0; i < names.length; i += 1) {
    const name = names[i], value = bundle[name], known = PARTS[name];
    if (value === undefined) continue;
    if (known === 'text') {
      values.text = encode(unquote(`${value}`));
    } else if (known !== undefined) {
      values[known] = toBytes(known, value);
    } else if (typeof value === 'string' || isUint8Array(value)) {
      values[name] = toBytes(name, value);
    } else {
      values[`${name} json`] = toBytes('json', value);
    }
  }
}

function call(value, name) {
  try {
    const method = value[name];
    return typeof method === 'function' ? apply(method, value, []) : undefined;
  } catch (error) {
    if (kernel.isInterrupt(error)) throw error;
    return undefined; // a value that cannot be shown so is shown as text
  }
}

function textOf(value) {
  try {
    return clean(inspect(value));
  } catch (error) {
    if (kernel.isInterrupt(error)) throw error;
    return `[a value that cannot be inspected: ${part('javascript_error').stackOf(error)}]`;
  }
}

function partsOf(value) {
  const values = { __proto__: null };
  const isObject = value !== null && (typeof value === 'object' || typeof value === 'function');
  if (isObject) {
    const own = call(value, JUPYTER), mime = isBundle(own) ? own : call(value, '_toMime');
    if (isBundle(mime)) addBundle(values, mime);
  }
  if (values.text === undefined) values.text = encode(unquote(textOf(value)));
  if (isObject) {
    for (const name in HOOKS) {
      const known = HOOKS[name];
      const made = values[known] === undefined ? call(value, name) : undefined;
      if (made !== undefined) values[known] = toBytes(known, made);
    }
  }
  return values;
}

exports.showValue = function (value) {
  show(partsOf(value), true);
};

// ---- display ----

function showBundle(bundle, isMain) {
  const values = { __proto__: null };
  addBundle(values, bundle);
  show(values, isMain);
}

const FORMATS = {
  __proto__: null, text: 'text/plain', html: 'text/html', markdown: 'text/markdown',
  svg: 'image/svg+xml', png: 'image/png', jpeg: 'image/jpeg', pdf: 'application/pdf',
  latex: 'text/latex', json: 'application/json', javascript: 'application/javascript',
  chart: 'e2b/chart', data: 'e2b/data',
};

function display() {
  for (let i = 0; i < arguments.length; i += 1) {
    const value = arguments[i];
    if (isBundle(value)) showBundle(value, false);
    else show(partsOf(value), false);
  }
}

for (const name in FORMATS) {
  display[name] = function (value) {
    showBundle({ __proto__: null, [FORMATS[name]]: value }, false);
  };
}
display.mime = function (bundle) {
  showBundle(bundle, false);
};
exports.display = display;

// ---- $$, as notebooks of ijavascript know it ----

function isThenable(value) {
  return value !== null && typeof value === 'object' && typeof value.then === 'function';
}

// What $$ shows is the value of the cell.
function answer(verb) {
  return function (value) {
    const { cell } = kernel;
    if (cell === null) return;
    if (isThenable(value)) {
      cell.isDeferred = true;
      value.then((made) => {
        if (kernel.cell === cell) settle(cell, () => verb(made));
      }, (error) => {
        if (kernel.cell === cell) settle(cell, () => fail(cell, error));
      });
      return;
    }
    settle(cell, () => verb(value));
  };
}

function settle(cell, verb) {
  if (cell.isAnswered) return;
  verb();
  cell.isAnswered = true;
  if (cell.isWaiting && cell.hasArrived) kernel.conclude();
}

function fail(cell, error) {
  cell.isFailure = true;
  cell.value = error;
}

const context = {
  __proto__: null,
  async(isDeferred = true) {
    if (kernel.cell !== null) kernel.cell.isDeferred = !!isDeferred;
    return !!isDeferred;
  },
  sendResult: answer((value) => {
    if (value !== undefined) show(partsOf(value), true);
  }),
  sendError: answer((error) => fail(kernel.cell, error)),
  mime: answer((bundle) => showBundle(bundle, true)),
  display() {
    return display;
  },
  clear() {},
  input() {
    throw new Error('$$.input: a cell has no terminal; pass stdin and read process.stdin');
  },
};
context.done = context.sendResult;
for (const name of ['text', 'html', 'svg', 'png', 'jpeg', 'json']) {
  context[name] = answer((value) => showBundle({ __proto__: null, [FORMATS[name]]: value }, true));
}
exports.context = context;
