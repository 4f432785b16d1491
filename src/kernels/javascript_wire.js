// Frames of the JavaScript kernel, to and from the host.
'use strict';

const { apply, encode, Bytes, copy, subarray, nothing } = kernel;
const { Pipe, constants: { SOCKET } } = process.binding('pipe_wrap');
const { WriteWrap } = process.binding('stream_wrap');
const { utf8Slice } = Buffer.prototype;
const { exit } = process;

const IN = 3, OUT = 4; // descriptors
const HEADER = 16; // bytes
const TOGETHER = 65536; // bytes of two frames that are written as one

const source = new Pipe(SOCKET), sink = new Pipe(SOCKET);
const { close, writeBuffer, ref, unref } = source;

// ---- out ----

function put32(bytes, at, value) {
  bytes[at] = value & 255;
  bytes[at + 1] = value >>> 8 & 255;
  bytes[at + 2] = value >>> 16 & 255;
  bytes[at + 3] = value >>> 24;
}

function putPart(frame, at, bytes) {
  put32(frame, at, bytes.length);
  apply(copy, frame, [bytes, at + 4]);
  return at + 4 + bytes.length;
}

const names = { __proto__: null }; // name of a part to its bytes
let namesLeft = 1000;

function encodeName(name) {
  const known = names[name];
  if (known !== undefined) return known;
  const bytes = encode(name);
  if (namesLeft > 0) names[name] = bytes;
  namesLeft -= 1;
  return bytes;
}

// A frame; values is name to bytes, without a prototype.
exports.pack = function (kind, request, values) {
  let size = 0;
  for (const name in values) size += 8 + encodeName(name).length + values[name].length;
  const frame = new Bytes(HEADER + size);
  put32(frame, 0, size);
  put32(frame, 4, kind);
  put32(frame, 8, request.low);
  put32(frame, 12, request.high);
  let at = HEADER;
  for (const name in values) {
    at = putPart(frame, at, encodeName(name));
    at = putPart(frame, at, values[name]);
  }
  return frame;
};

// One native call, which keeps what the host does not take yet: an interrupt
// cannot leave half a frame.
function write(frame) {
  const request = new WriteWrap();
  request.oncomplete = nothing;
  request.frame = frame; // lives as long as it is not written
  apply(writeBuffer, sink, [request, frame]);
}

let held = null; // goes with the next one: each write wakes the host

exports.hold = function (frame) {
  flush();
  held = frame;
};

function flush() {
  const frame = held;
  held = null;
  if (frame !== null) write(frame);
}

exports.send = function (frame) {
  if (held !== null && held.length + frame.length < TOGETHER) {
    const both = new Bytes(held.length + frame.length);
    apply(copy, both, [held, 0]);
    apply(copy, both, [frame, held.length]);
    held = null;
    write(both);
  } else {
    flush();
    write(frame);
  }
};

// ---- in ----

let waiting = new Bytes(0); // what was read, from the start of a frame on
let needed = HEADER; // as many bytes of it are needed to go on
let chunks = null, chunked = 0; // what came after it, newest first

function get32(bytes, at) {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

function receive(buffer) {
  if (buffer === undefined) apply(exit, process, [0]); // the host is gone
  const chunk = new Bytes(buffer);
  chunks = { __proto__: null, chunk, before: chunks };
  chunked += chunk.length;
  if (waiting.length + chunked < needed) return;
  join();
  exports.take();
}

function join() {
  if (waiting.length === 0 && chunks.before === null) {
    waiting = chunks.chunk;
  } else {
    const whole = new Bytes(waiting.length + chunked);
    apply(copy, whole, [waiting, 0]);
    for (let end = whole.length; chunks !== null; chunks = chunks.before) {
      end -= chunks.chunk.length;
      apply(copy, whole, [chunks.chunk, end]);
    }
    waiting = whole;
  }
  chunks = null;
  chunked = 0;
}

// Hand on what has come, as long as no cell runs.
exports.take = function () {
  if (chunks !== null) join();
  while (kernel.cell === null) {
    needed = waiting.length < HEADER ? HEADER : HEADER + get32(waiting, 0);
    if (waiting.length < needed) return;
    const frame = apply(subarray, waiting, [0, needed]);
    waiting = apply(subarray, waiting, [needed, waiting.length]);
    needed = HEADER;
    kernel.hearHost(get32(frame, 4), get32(frame, 8), get32(frame, 12), frame);
  }
};

// Call verb(name, value) for each part of a frame.
exports.each = function (frame, verb) {
  for (let at = HEADER; at < frame.length;) {
    const nameEnd = at + 4 + get32(frame, at);
    const end = nameEnd + 4 + get32(frame, nameEnd);
    verb(apply(utf8Slice, frame, [at + 4, nameEnd]), apply(utf8Slice, frame, [nameEnd + 4, end]));
    at = end;
  }
};

// Listen no longer: what the host sends from now on goes to another kernel.
exports.close = () => apply(close, source, []);

// Whether the wire alone keeps the event loop going.
exports.ref = () => apply(ref, source, []);
exports.unref = () => apply(unref, source, []);

exports.open = function () {
  source.open(IN);
  source.onread = receive;
  source.readStart();
  sink.open(OUT);
  sink.unref();
};
