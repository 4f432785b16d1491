// The JavaScript kernel: runs cells in this process and speaks frames
// (protocol.h, enum cell_kernel_message), which come in on descriptor 3 and
// leave on 4.
//
// User code shares this process and may replace whatever it can reach: what
// the kernel calls is held here, objects have no prototype, arrays are never
// grown, and everything a cell could leave behind is put right before the
// next one. Node's own bindings are used where the module above them costs
// milliseconds of the start (net, inspector).
//
// Every start pays for this file, javascript_evaluate.js, _global.js, _stream.js
// and _wire.js. The other javascript_*.js travel in the same frame and are
// loaded when first used.
'use strict';

const { apply, ownKeys } = Reflect;
const { hasOwn } = Object;
const { inspect } = require('util');
const { Script, compileFunction } = require('vm');
const { startSigintWatchdog, stopSigintWatchdog, watchdogHasPendingSigint } =
  process.binding('contextify');
const { set: copy, subarray } = Uint8Array.prototype;
const { Buffer, clearInterval, setInterval } = globalThis;
const { utf8Slice } = Buffer.prototype;
const Bytes = Uint8Array;
const encoder = new TextEncoder();
const { encode: encodeText } = TextEncoder.prototype;
const { exec: test } = RegExp.prototype;
// For parts that are loaded when the code may have replaced these.
const { slice, split, includes, indexOf } = String.prototype;
const strings = { __proto__: null, slice, split, includes, indexOf };
const { reallyExit } = process; // exit needs what the code may have broken
const drain = process._tickCallback;
const fatal = process._fatalException;

const EXECUTE = 2, ENV = 3, REHEARSE = 4, READY = 16, RESULT = 17, ERROR = 18, DONE = 19;
const TEXT_MAX = 4 << 20; // bytes of one text of a result or an error
const BLOB_MAX = 16 << 20; // bytes of a picture or a page
const FRAME_MAX = 64 << 20;
const RESULTS_MAX = 1000; // of a cell
const RESULT_BYTES_MAX = 128 << 20; // of all results of a cell
const BLOBS = { __proto__: null, png: 1, jpeg: 1, pdf: 1, html: 1, svg: 1 };
const TOO_MANY = '[more results than a cell may have: the rest is left out]';
const SOURCE_MAX = 1 << 20; // characters of a cell that is remembered for tracebacks
const SOURCES_MAX = 200; // cells that are
const POLL = 20; // milliseconds between looks for an interrupt while a cell waits

const HAS_AWAIT = /\bawait\b/;

function encode(text) {
  return apply(encodeText, encoder, [text]);
}

const loaded = { __proto__: null };

function part(name) {
  let exports = loaded[name];
  if (exports === undefined) {
    exports = loaded[name] = { __proto__: null };
    compileFunction(apply(utf8Slice, parts[`${name}.js`], []),
      ['require', 'process', 'exports', 'kernel', 'part'],
      { __proto__: null, filename: `<codecell ${name}.js>` })(
      require, process, exports, kernel, part);
  }
  return exports;
}

function matches(pattern, text) {
  pattern.lastIndex = 0;
  return apply(test, pattern, [text]) !== null;
}

// ---- frames ----

function cut(bytes, most) {
  if (bytes.length <= most) return bytes;
  cell.truncated = true;
  let end = most;
  while (end > 0 && (bytes[end] & 0xc0) === 0x80) end -= 1; // not half a character
  const note = encode(`\n... [cut: the rest of ${bytes.length} bytes is left out]`);
  const kept = new Bytes(end + note.length);
  apply(copy, kept, [apply(subarray, bytes, [0, end])]);
  apply(copy, kept, [note, end]);
  return kept;
}

function hearHost(kind, low, high, frame) {
  if (kind === ENV) {
    each(frame, (name, value) => {
      if (name === 'env') setVariable(value);
    });
  } else if (kind === EXECUTE || kind === REHEARSE) {
    execute({ __proto__: null, low, high }, frame);
    if (kind === REHEARSE) {
      delete sources[`<cell-${count}>`];
      count = 0;
    }
  }
}

// ---- environment ----

// Set "NAME=value"; returns how it was: {name, value}, value undefined if it was not set.
function setVariable(text) {
  let at = 0;
  while (at < text.length && text[at] !== '=') at += 1;
  let name = '', value = '';
  for (let i = 0; i < at; i += 1) name += text[i];
  value = apply(slice, text, [at + 1]);
  const before = hasOwn(environment, name) ? environment[name] : undefined;
  environment[name] = value;
  return { __proto__: null, name, value: before, next: null };
}

const environment = process.env;

function restoreVariables(saved) {
  for (; saved !== null; saved = saved.next) {
    if (saved.value === undefined) delete environment[saved.name];
    else environment[saved.name] = saved.value;
  }
}

function nothing() {}

// ---- cells ----

let cell = null; // the running one
let count = 0;
let poll = null;
let stopping = false;
const sources = { __proto__: null }; // name of a cell to its code

const WHITE = /^\s*$/;

function execute(request, frame) {
  let code = '', stdin = null, saved = null, mayAnswer = false;
  each(frame, (name, value) => {
    if (name === 'code') {
      code = value;
    } else if (name === 'stdin') {
      stdin = value;
    } else if (name === 'final') {
      mayAnswer = true;
    } else if (name === 'env') {
      const before = setVariable(value);
      before.next = saved;
      saved = before;
    }
  });
  cell = {
    __proto__: null, request, code, saved, source: code, name: '', results: 0, bytes: 0,
    truncated: false, hasArrived: false, isWaiting: false, isCompiling: false, isFailure: false,
    isGivenUp: false, holdsObjects: false, isAnswered: false, isDeferred: false,
    value: undefined, place: null, names: null, promises: null, letGo: null, uncaught: null,
    toUserLine: null, hasStdin: stdin !== null, mayAnswer,
  };
  if (matches(WHITE, code)) {
    finish();
    return;
  }
  count += 1;
  cell.name = `<cell-${count}>`;
  sources[cell.name] = code.length < SOURCE_MAX ? code : '';
  delete sources[`<cell-${count - SOURCES_MAX}>`];
  if (watchdogHasPendingSigint()) forgetInterrupt();
  const isStopped = guard(() => {
    listen();
    streams.prepare(stdin);
    if (mayAnswer) part('javascript_final').open();
    begin(language);
    drain();
    if (cell.hasArrived && !cell.isDeferred) present();
  });
  if (isStopped) stopped();
  else if (cell.hasArrived && !cell.isDeferred) finish();
  else stay();
}

// What was interrupted has left its marks on node's stack of asynchronous
// contexts, which only its own way of handling what nobody caught clears.
function clearStack() {
  stopping = true;
  try {
    apply(fatal, process, [null, false]);
  } catch {
    // a listener of the code
  }
  stopping = false;
}

function forgetInterrupt() {
  startSigintWatchdog();
  stopSigintWatchdog();
}

// The cell goes on in the event loop.
function stay() {
  cell.isWaiting = true;
  // Only what the code has begun keeps the loop going: its end is then seen.
  wire.unref();
  try {
    part('javascript_interrupt').watch();
  } catch {
    // No thread may be had; the watchdog still stops what the kernel runs.
  }
  poll = setInterval(() => {
    if (watchdogHasPendingSigint()) {
      forgetInterrupt();
      if (!cell.isStopping) stopped();
    }
  }, POLL);
  poll.unref();
}

function conclude() {
  if (cell.isDeferred && !cell.isAnswered && !cell.isFailure) return;
  if (guard(present)) stopped();
  else finish();
}

// The code has ended: its value, or what it threw.
function arrive(value, isFailure) {
  if (cell === null || cell.hasArrived) return;
  cell.hasArrived = true;
  cell.value = value;
  cell.isFailure = isFailure;
  if (cell.isWaiting) conclude();
}

function isInterrupt(error) {
  return error !== null && typeof error === 'object' && hasOwn(error, 'code') &&
    error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED';
}

let isBroken = false; // no cell can run any more
let failures = 0; // cells in a row that the kernel could not run to their end

// The code has broken something that node itself needs, for good if `isLasting`.
function giveUp(error, isLasting) {
  failures += 1;
  isBroken = isBroken || isLasting || failures > 1;
  if (cell === null) return;
  cell.isGivenUp = true;
  cell.hasArrived = true;
  cell.isDeferred = false;
  sendError({
    __proto__: null, name: 'InternalError', traceback: part('javascript_error').stackOf(error),
    value: 'the interpreter cannot go on with this cell',
  });
}

// Show what the code came to. Runs code of the user: inspection, getters.
function present() {
  if (cell.isFailure) {
    fail(cell.value);
  } else if (cell.value !== undefined && !cell.isAnswered) {
    if (matches(HAS_AWAIT, cell.code) && !part('javascript_syntax').hasValue(cell.source)) return;
    showValue(cell.value);
  }
}

const SIMPLE = { __proto__: null, number: 1, boolean: 1, bigint: 1, string: 1 };

function showValue(value) {
  if (value === null || SIMPLE[typeof value] === 1) {
    show({ __proto__: null, text: encode(unquote(inspect(value))) }, true);
  } else {
    part('javascript_display').showValue(value);
  }
}

function unquote(text) {
  const first = text[0];
  return text.length > 1 && (first === "'" || first === '"') && text[text.length - 1] === first
    ? apply(slice, text, [1, -1]) : text;
}

// Send a result: name to bytes. Between cells there is nobody to show it to.
function show(values, isMain) {
  if (cell === null) return;
  cell.results += 1;
  if (cell.results > RESULTS_MAX || cell.bytes > RESULT_BYTES_MAX) {
    cell.truncated = true;
    if (cell.isCut) return;
    cell.isCut = true;
    values = { __proto__: null, text: encode(TOO_MANY) };
  }
  for (const name in values) {
    if (values[name].length > (BLOBS[name] === 1 ? BLOB_MAX : TEXT_MAX)) {
      if (name === 'text' || name === 'markdown' || name === 'latex') {
        values[name] = cut(values[name], TEXT_MAX);
      } else { // half a picture or half a JSON text is worth nothing
        cell.truncated = true;
        const size = values[name].length;
        delete values[name];
        values.text = encode(`[${name} of ${size} bytes is left out]`);
      }
    }
  }
  if (isMain) values.main = encode('1');
  let frame = pack(RESULT, cell.request, values);
  if (frame.length > FRAME_MAX) {
    cell.truncated = true;
    frame = pack(RESULT, cell.request,
      { __proto__: null, text: encode(`[a result of ${frame.length} bytes is left out]`) });
  }
  cell.bytes += frame.length;
  if (isMain) hold(frame);
  else send(frame);
}

// Send what was thrown. Runs code of the user.
function fail(error) {
  let values;
  try {
    values = part('javascript_error').describe(error);
  } catch (problem) {
    if (isInterrupt(problem)) throw problem;
    values = { __proto__: null, name: typeof error, value: '', traceback: '[cannot be shown]' };
  }
  sendError(values);
}

function sendError(values) {
  if (cell.isFailed) return;
  cell.isFailed = true;
  const encoded = { __proto__: null };
  for (const name in values) encoded[name] = cut(encode(values[name]), TEXT_MAX);
  hold(pack(ERROR, cell.request, encoded));
}

function stopped() {
  clearStack();
  cell.isStopping = true;
  streams.stopTimers();
  sendError({ __proto__: null, name: 'KeyboardInterrupt', value: 'the code was interrupted',
    traceback: 'KeyboardInterrupt: the code was interrupted' });
  finish();
}

const ArrayPrototype = Array.prototype, ObjectPrototype = Object.prototype;
const INDEX = /^\d+$/;
// With these in the prototype of everything, node itself stops working.
const HARMFUL = {
  __proto__: null, get: 1, set: 1, value: 1, writable: 1, enumerable: 1, configurable: 1, then: 1,
};

function isSound() {
  for (const name in HARMFUL) if (name in ObjectPrototype) return false;
  return !(0 in ArrayPrototype || 1 in ArrayPrototype || 2 in ArrayPrototype);
}

function cleanPrototypes() {
  if (isSound()) return;
  for (const name in HARMFUL) delete ObjectPrototype[name];
  const names = ownKeys(ArrayPrototype), inObject = ownKeys(ObjectPrototype);
  for (let i = 0; i < names.length; i += 1) {
    if (typeof names[i] === 'string' && matches(INDEX, names[i])) delete ArrayPrototype[names[i]];
  }
  for (let i = 0; i < inObject.length; i += 1) {
    const name = inObject[i];
    if (typeof name === 'string' && matches(INDEX, name)) delete ObjectPrototype[name];
  }
}

// The host finds nobody who listens, and starts a kernel that can run and print.
function leave() {
  try {
    disconnect();
  } catch {
    // what that needs is broken too
  }
  apply(reallyExit, process, [1]);
}

function finish() {
  if (!cell.isGivenUp) failures = 0;
  const { request, isWaiting } = cell;
  cleanPrototypes();
  if (cell.names !== null && cell.place === null) part('javascript_names').keep(cell.names);
  restoreVariables(cell.saved);
  if (cell.mayAnswer) part('javascript_final').close();
  release(cell);
  streams.settle(cell.hasStdin);
  const values = { __proto__: null, execution_count: encode(`${count}`) };
  if (cell.truncated) values.truncated = encode('1');
  cell = null;
  if (isWaiting) {
    clearInterval(poll);
    wire.ref();
  }
  const isOver = isBroken || streams.isLost();
  if (isOver) wire.close();
  send(pack(DONE, request, values));
  if (isOver) leave();
  if (isWaiting) wire.take();
}

// ---- what nobody caught ----

function onUncaught(error) {
  if (stopping || isInterrupt(error)) return;
  if (cell !== null && cell.uncaught === null) cell.uncaught = { __proto__: null, error };
  guard(() => {
    try {
      streams.report(part('javascript_error').stackOf(error));
    } catch (problem) {
      if (isInterrupt(problem)) throw problem;
    }
  });
}

// Nothing is left that could end the cell. If something went wrong in it,
// that is why: else it waits for its timeout.
function onEmpty() {
  if (cell === null || !cell.isWaiting) return;
  wire.ref();
  if (cell.uncaught !== null && !cell.hasArrived) arrive(cell.uncaught.error, true);
}

const kernel = {
  __proto__: null, apply, arrive, Buffer, Bytes, conclude, copy, encode, giveUp, hearHost, inspect,
  isInterrupt, load, matches, nothing, Script, show, sources, strings, subarray,
  test, unquote,
  get cell() {
    return cell;
  },
};
const wire = part('javascript_wire');
const { pack, send, hold, each } = wire;
const { guard, begin, release, disconnect } = part('javascript_evaluate');
const streams = part('javascript_stream');

const { on, listenerCount } = process;
const LISTENERS = { __proto__: null, uncaughtException: onUncaught, beforeExit: onEmpty };

// The code may have taken them away.
function listen() {
  for (const name in LISTENERS) {
    if (apply(listenerCount, process, [name]) === 0) apply(on, process, [name, LISTENERS[name]]);
  }
}

function prepare() {
  process.execArgv.length = 0;
  process.argv.length = 1;
  process.on('exit', disconnect); // else node waits for a debugger to leave
  streams.open();
  part('javascript_global').open();
  startSigintWatchdog();
}

prepare();
const ready = { __proto__: null, language: encode(language), version: encode(process.versions.node),
  executable: encode(process.execPath) };
if (language === 'typescript') {
  const lack = part('javascript_types').lack();
  if (lack !== null) ready.unsupported = encode(lack);
}
wire.open();
send(pack(READY, { __proto__: null, low: 0, high: 0 }, ready));
