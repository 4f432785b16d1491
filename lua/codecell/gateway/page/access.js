// Asking the gateway: its control plane with the key, a sandbox with the token of that sandbox.

const KEY = "codecell-key"; // of sessionStorage: this tab alone, until it is closed
const ENVD = 49983;
const CODE = 49999;
const LINE_MOST = 100000000; // characters of one line of a stream
const TURN = 12; // milliseconds that a stream may take before others have theirs

let key = null;

class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

// What stands behind "#" was never sent anywhere; it leaves the address and the history at once.
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem(KEY, given);
    history.replaceState(null, "", location.pathname);
  }
  key = sessionStorage.getItem(KEY);
}

function keepKey(given) {
  key = given;
  if (given) sessionStorage.setItem(KEY, given);
  else sessionStorage.removeItem(KEY);
}

async function failureOf(response) {
  const text = cut(await response.text().catch(() => ""), 4000);
  let message = text;
  try {
    message = JSON.parse(text).message ?? text;
  } catch {
    // It is no JSON: the text says it.
  }
  return new Failure(message || `The gateway answered ${response.status}`, response.status);
}

async function send(path, { headers = {}, ...rest } = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", credentials: "omit", redirect: "error",
      referrerPolicy: "no-referrer", headers, ...rest });
  } catch (problem) {
    if (problem.name === "AbortError") throw problem;
    throw new Failure("The gateway does not answer: is codecell serve still running?", 0);
  }
  if (!response.ok) throw await failureOf(response);
  return response;
}

function withJson(body) {
  return body === undefined ? {} : { body: JSON.stringify(body) };
}

/** Who asks; a gateway without keys needs none of its own page. */
function ownHeaders(more = {}) {
  return key ? { "X-API-Key": key, ...more } : more;
}

/** Ask the control plane; the answer is JSON, or nothing. */
async function control(method, path, body) {
  const response = await send(path, { method, ...withJson(body),
    headers: ownHeaders({ "Content-Type": "application/json" }) });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

// The pieces of an answer. What prints without end would keep the page from everything else.
async function* pieces(response) {
  let last = performance.now();
  for await (const chunk of response.body) {
    yield chunk;
    if (performance.now() - last > TURN) {
      await new Promise((resolve) => setTimeout(resolve));
      last = performance.now();
    }
  }
}

/** The lines of a stream of JSON, as they come. */
async function* jsonLines(response) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of pieces(response)) {
    rest += decoder.decode(chunk, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      if (line) yield JSON.parse(line);
    }
    if (rest.length > LINE_MOST) throw new Failure("A line of the answer is too long", 0);
  }
}

// The messages of a Connect stream: a byte of flags, four of length, JSON.
async function* envelopes(response) {
  let rest = new Uint8Array(0);
  for await (const chunk of pieces(response)) {
    const joined = new Uint8Array(rest.length + chunk.length);
    joined.set(rest);
    joined.set(chunk, rest.length);
    let at = 0;
    while (joined.length - at >= 5) {
      const length = new DataView(joined.buffer, at + 1, 4).getUint32(0);
      if (length > LINE_MOST) throw new Failure("A message of the answer is too long", 0);
      if (joined.length - at - 5 < length) break;
      const text = new TextDecoder().decode(joined.subarray(at + 5, at + 5 + length));
      const message = JSON.parse(text);
      if (message.error) throw new Failure(message.error.message ?? message.error.code, 0);
      if (!(joined[at] & 2)) yield message;
      at += 5 + length;
    }
    rest = joined.slice(at);
  }
}

/** What may be asked of one sandbox, with its tokens. */
class Access {
  constructor(told) {
    this.id = told.sandboxID;
    this.token = told.envdAccessToken;
    this.traffic = told.trafficAccessToken;
  }

  headers(port, more = {}) {
    const headers = { "E2b-Sandbox-Id": this.id, "E2b-Sandbox-Port": String(port), ...more };
    if (port === ENVD && this.token) headers["X-Access-Token"] = this.token;
    if (port !== ENVD && this.traffic) headers["E2B-Traffic-Access-Token"] = this.traffic;
    return headers;
  }

  /** A remote call with one answer. */
  async call(method, body = {}) {
    const response = await send(`/${method}`, { method: "POST", ...withJson(body),
      headers: this.headers(ENVD, { "Content-Type": "application/json" }) });
    return response.json();
  }

  /** One whose answer is a stream of messages. */
  async stream(method, body, signal) {
    const text = new TextEncoder().encode(JSON.stringify(body));
    const message = new Uint8Array(5 + text.length);
    new DataView(message.buffer).setUint32(1, text.length);
    message.set(text, 5);
    const response = await send(`/${method}`, { method: "POST", body: message, signal,
      headers: this.headers(ENVD, { "Content-Type": "application/connect+json" }) });
    return envelopes(response);
  }

  /** The code interpreter. */
  code(method, path, body, signal) {
    return send(path, { method, ...withJson(body), signal,
      headers: this.headers(CODE, { "Content-Type": "application/json" }) });
  }

  /** A file, or its first bytes. */
  async read(path, most) {
    const range = most ? { Range: `bytes=0-${most - 1}` } : {};
    return send(`/files?path=${encodeURIComponent(path)}`, { headers: this.headers(ENVD, range) });
  }

  async write(path, content) {
    await send(`/files?path=${encodeURIComponent(path)}`, { method: "POST", body: content,
      headers: this.headers(ENVD, { "Content-Type": "application/octet-stream" }) });
  }
}
