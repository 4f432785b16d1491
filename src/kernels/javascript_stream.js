// Output, input and console of the JavaScript kernel.
//
// What is printed is in its pipe when the call returns, as in any program
// whose output is a file: no order is lost to what children print, and a
// kernel that is killed has lost nothing.
'use strict';

const { apply, Buffer, encode } = kernel;
const {
  closeSync, existsSync, fstatSync, openSync, unlinkSync, writeFileSync, writeSync,
} = require('fs');
const { defineProperty, getOwnPropertyDescriptor } = Object;
const { subarray } = Uint8Array.prototype;
const { includes } = String.prototype;
const { Console } = console;
const { isUint8Array } = require('util').types;
const isUtf8 = (encoding) => encoding === 'utf8' || encoding === 'utf-8';
const pause = new Int32Array(new SharedArrayBuffer(4));
const { wait } = Atomics;

const STDIN_FILE = '.codecell-input-';

// ---- output ----

function writeBytes(fd, bytes) {
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      if (kernel.isInterrupt(error) || error.code !== 'EAGAIN') throw error;
      wait(pause, 0, 0, 1); // a child or the code made the pipe non-blocking
    }
  }
}

let isLost = false; // an output that cannot be had again

function writeText(fd, text) {
  if (apply(includes, text, ['<codecell '])) text = part('javascript_error').cleanOutput(text);
  let count = 0;
  try {
    try {
      count = writeSync(fd, text);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
    if (count === text.length && count < 64) return; // most often: no byte more than characters
    const bytes = encode(text);
    if (count < bytes.length) writeBytes(fd, apply(subarray, bytes, [count, bytes.length]));
  } catch (error) {
    // The code has closed its output, or the host does not listen any more.
    if (error.code !== 'EBADF' && error.code !== 'EPIPE') throw error;
    isLost = true;
  }
}

const outputs = {
  __proto__: null, stdout: makeOutput('stdout', 1), stderr: makeOutput('stderr', 2),
};

// One of the two outputs: the stream of node's that code may ask for is made when it does.
function makeOutput(name, fd) {
  const output = {
    __proto__: null, name, stream: null, write: null,
    print(text) {
      const { stream } = output;
      if (stream !== null && stream.write !== output.write) stream.write(text);
      else writeText(fd, text);
    },
    open() {
      const { Writable } = require('stream');
      const write = (chunk, encoding) => {
        if (typeof chunk !== 'string') writeBytes(fd, chunk);
        else if (encoding === undefined || isUtf8(encoding)) writeText(fd, chunk);
        else writeBytes(fd, Buffer.from(chunk, encoding));
      };
      const stream = new Writable({
        __proto__: null, decodeStrings: false,
        write(chunk, encoding, done) {
          write(chunk, encoding);
          done();
        },
        destroy(error, done) {
          done(error);
        },
      });
      // Past the queue of a Writable, which an interrupt could leave in a state that takes nothing.
      stream.write = function (chunk, encoding, done) {
        const isPlain = typeof chunk === 'string' || isUint8Array(chunk);
        if (!isPlain || stream.writableEnded || stream.destroyed) {
          return apply(Writable.prototype.write, stream, arguments);
        }
        if (typeof encoding === 'function') {
          done = encoding;
          encoding = undefined;
        }
        write(chunk, encoding === null ? undefined : encoding);
        if (typeof done === 'function') process.nextTick(done);
        return true;
      };
      stream.fd = fd;
      stream._type = 'pipe';
      stream._isStdio = true;
      stream.destroySoon = stream.destroy;
      output.stream = stream;
      output.write = stream.write;
      return stream;
    },
    get() {
      const { stream } = output;
      return stream === null || stream.destroyed || stream.writableEnded ? output.open() : stream;
    },
    restore() {
      const { stream } = output;
      if (stream !== null && stream.write !== output.write) {
        defineProperty(stream, 'write', {
          __proto__: null, value: output.write, writable: true, configurable: true,
          enumerable: false,
        });
      }
      install(name, output.get);
    },
  };
  return output;
}

function install(name, get) {
  const found = getOwnPropertyDescriptor(process, name);
  if (found !== undefined && found.get === get) return;
  defineProperty(process, name, {
    __proto__: null, get, set: undefined, configurable: true, enumerable: true,
  });
}

// ---- console ----

let ours = null;
const methods = { __proto__: null };

function openConsole() {
  // Not node's own one: V8 keeps what that prints for its inspector.
  ours = new Console({
    __proto__: null, ignoreErrors: false,
    stdout: { __proto__: null, write: outputs.stdout.print },
    stderr: { __proto__: null, write: outputs.stderr.print },
  });
  ours.Console = Console;
  for (const name of Object.keys(ours)) {
    if (typeof ours[name] === 'function') methods[name] = ours[name];
  }
}

function restoreConsole() {
  const found = getOwnPropertyDescriptor(globalThis, 'console');
  if (found === undefined || found.value !== ours) {
    defineProperty(globalThis, 'console', {
      __proto__: null, value: ours, writable: true, configurable: true, enumerable: false,
    });
  }
  for (const name in methods) {
    if (ours[name] === methods[name]) continue;
    defineProperty(ours, name, {
      __proto__: null, value: methods[name], writable: true, configurable: true, enumerable: true,
    });
  }
}

// ---- input ----

let stdin = null;
let files = 0;

// Descriptor 0 is what a cell and its children read: the lowest free number is the next to be
// opened.
function feed(path) {
  try {
    closeSync(0);
  } catch {
    // the code has closed it
  }
  openSync(path, 'r');
}

function give(text) {
  stdin = null;
  files += 1;
  const folder = existsSync('/tmp') ? '/tmp' : '.';
  const path = `${folder}/${STDIN_FILE}${process.pid}-${files}`;
  writeFileSync(path, text, { __proto__: null, flag: 'wx', mode: 0o600 });
  feed(path);
  unlinkSync(path);
}

function openInput() {
  if (stdin === null) {
    const { ReadStream } = require('fs');
    stdin = new ReadStream(null, { __proto__: null, fd: 0, autoClose: false });
    stdin.fd = 0;
    for (const name of ['ref', 'unref']) stdin[name] = () => stdin;
  }
  return stdin;
}

// ---- around a cell ----

let isOpenEnded = false; // the last report had no end of line, as node's own have none

exports.prepare = function (text) {
  isOpenEnded = false;
  restoreConsole();
  outputs.stdout.restore();
  outputs.stderr.restore();
  install('stdin', openInput);
  if (text !== null) give(text);
};

exports.settle = function (hadInput) {
  if (hadInput) {
    stdin = null;
    feed('/dev/null');
  }
};

exports.report = function (text) {
  writeText(2, isOpenEnded ? `\n${text}` : text);
  isOpenEnded = text[text.length - 1] !== '\n';
};

exports.stopTimers = function () {
  part('javascript_interrupt').stopTimers();
};

// The pipe that a descriptor is; null where it is closed.
function pipeOf(fd) {
  try {
    return fstatSync(fd).ino;
  } catch {
    return null;
  }
}

const pipes = [0, pipeOf(1), pipeOf(2)];

// Or it is another file by now, which would take what later cells print.
exports.isLost = () => isLost || pipeOf(1) !== pipes[1] || pipeOf(2) !== pipes[2];

exports.open = function () {
  openConsole();
  restoreConsole();
  exports.prepare(null);
};
