// Functions of the program that runs this sandbox:
//
//   import { tools } from "host";
//   await tools.search("x", { limit: 3 });
//
// What such a function raises rejects its promise with a HostError.
'use strict';

const { readFileSync } = require('fs');
const { connect } = require('net');

const CONNECTIONS = 32; // calls at a time; the others wait

class HostError extends Error {
  constructor(message, kind) {
    super(message);
    this.name = 'HostError';
    this.kind = kind; // a word for why; undefined for what the function has raised
  }
}

const waiting = []; // calls
const connections = new Set();
const idle = [];

// One call at a time. Nothing waits for the program's sake of an idle one.
class Connection {
  constructor(url) {
    connections.add(this);
    this.call = null;
    this.isUsed = false;
    this.socket = connect(Number(url.port), url.hostname);
    this.socket.setNoDelay(true);
    this.socket.on('data', (piece) => this.take(piece));
    this.socket.on('error', (error) => { this.problem = error.message; });
    this.socket.on('close', () => this.end());
  }

  start(call) {
    this.call = call;
    this.pieces = [];
    this.size = 0;
    this.whole = Infinity; // bytes of the answer, once its head is there
    this.socket.ref();
    this.socket.write(`POST ${call.path} HTTP/1.1\r\nHost: host\r\n` +
      'Content-Type: application/json\r\n' +
      `Content-Length: ${Buffer.byteLength(call.body)}\r\n\r\n${call.body}`);
  }

  take(piece) {
    if (this.call === null) return;
    this.pieces.push(piece);
    this.size += piece.length;
    if (this.whole === Infinity) this.readHead();
    if (this.size >= this.whole) this.finish();
  }

  readHead() {
    const bytes = this.pieces.length > 1 ? Buffer.concat(this.pieces) : this.pieces[0];
    const end = bytes.indexOf('\r\n\r\n');
    this.pieces = [bytes];
    if (end < 0) return;
    const head = bytes.latin1Slice(0, end).toLowerCase();
    this.status = Number(head.slice(9, 12));
    this.body = end + 4;
    this.whole = this.body + Number(/\r\ncontent-length: *(\d+)/.exec(head)[1]);
    this.isLast = /\r\nconnection: *close/.test(head);
  }

  finish() {
    const { call, status } = this;
    const text = Buffer.concat(this.pieces).toString('utf8', this.body, this.whole);
    this.call = null;
    this.isUsed = true;
    if (this.isLast) this.socket.destroy();
    else if (waiting.length > 0) this.start(waiting.shift());
    else {
      this.socket.unref();
      idle.push(this);
    }
    try {
      const answer = JSON.parse(text);
      if (status === 200) call.resolve(answer);
      else call.reject(new HostError(answer.error.message, answer.error.kind));
    } catch {
      call.reject(new HostError(`the host has refused the request (${status})`));
    }
  }

  end() {
    const { call } = this;
    connections.delete(this);
    if (idle.includes(this)) idle.splice(idle.indexOf(this), 1);
    this.call = null;
    // One that was closed while it was idle has not taken the request.
    if (call && this.isUsed && this.size === 0) waiting.unshift(call);
    else if (call) {
      call.reject(new HostError(`the host does not answer${this.problem ? `: ${this.problem}` : ''}`,
        'unavailable'));
    }
    if (waiting.length > 0) ask(waiting.shift());
  }
}

function ask(call) {
  const url = process.env.CODECELL_HOST_URL;
  if (!url) call.reject(new HostError('the host has exposed nothing', 'not_found'));
  else if (idle.length > 0) idle.pop().start(call);
  else if (connections.size < CONNECTIONS) new Connection(new URL(url)).start(call);
  else waiting.push(call);
}

// What is called when a cell of a session is interrupted: nobody waits for its calls any more, and
// what would come after them must not run.
Object.defineProperty(process, Symbol.for('codecell.interrupted'), {
  configurable: true,
  value() {
    waiting.length = 0;
    for (const connection of connections) {
      if (connection.call !== null) connection.socket.destroy();
      connection.call = null;
    }
  },
});

function namespace(name) {
  return new Proxy({}, {
    get(target, called) {
      if (typeof called !== 'string' || called === 'then' || called === 'toJSON') return undefined;
      return (...values) => new Promise((resolve, reject) => {
        ask({ path: `/${name}/${called}`, body: JSON.stringify(values), resolve, reject });
      });
    },
  });
}

// What is exposed later than this was loaded is found all the same: the host then adds a statement
// to the end of this file.
exports = module.exports = new Proxy({ HostError }, {
  get(target, name) {
    if (typeof name === 'string' && name !== 'then' && !(name in target)) {
      target[name] = namespace(name);
    }
    return target[name];
  },
  ownKeys(target) {
    const statements = readFileSync(__filename, 'utf8').matchAll(/^exports\.(\w+) = /gm);
    for (const [, name] of statements) target[name] = target[name] || namespace(name);
    return Reflect.ownKeys(target);
  },
});
