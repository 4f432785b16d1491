// Functions of the program that runs this sandbox:
//
//   import { tools } from "host";
//   await tools.search("x", { limit: 3 });
//
// What such a function raises rejects its promise with a HostError.
'use strict';

const { readFileSync } = require('fs');
const http = require('http');

const agent = new http.Agent({ keepAlive: true, maxSockets: 32 });

class HostError extends Error {
  constructor(message, kind) {
    super(message);
    this.name = 'HostError';
    this.kind = kind; // a word for why; undefined for what the function has raised
  }
}

function settle(status, text, resolve, reject) {
  try {
    const answer = JSON.parse(text);
    if (status === 200) resolve(answer);
    else reject(new HostError(answer.error.message, answer.error.kind));
  } catch {
    reject(new HostError(`the host has refused the request (${status})`));
  }
}

function ask(path, body, resolve, reject) {
  const url = process.env.CODECELL_HOST_URL;
  if (!url) {
    reject(new HostError('the host has exposed nothing', 'not_found'));
    return;
  }
  const request = http.request(url + path, {
    agent, method: 'POST',
    headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
  }, (response) => {
    const pieces = [];
    response.on('data', (piece) => pieces.push(piece));
    response.on('end', () => {
      settle(response.statusCode, Buffer.concat(pieces).toString(), resolve, reject);
    });
    response.on('error', fail);
  });
  function fail(error) {
    // A connection that was closed while idle has not taken the request.
    if (request.reusedSocket && error.code === 'ECONNRESET') ask(path, body, resolve, reject);
    else reject(new HostError(`the host does not answer: ${error.message}`, 'unavailable'));
  }
  request.on('error', fail);
  request.end(body);
}

function namespace(name) {
  return new Proxy({}, {
    get(target, called) {
      if (typeof called !== 'string' || called === 'then' || called === 'toJSON') return undefined;
      return (...values) => new Promise((resolve, reject) => {
        ask(`/${name}/${called}`, JSON.stringify(values), resolve, reject);
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
