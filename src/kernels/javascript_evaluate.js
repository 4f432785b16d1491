// The code of a cell on its way through V8.
//
// What declares nothing lexical is a plain script; the rest is evaluated in the
// REPL mode of V8, which only its inspector offers: let and class may be
// declared again there, and await stands at the top level.
'use strict';

const { apply, matches, arrive, Script } = kernel;
const { defineProperty, hasOwn } = Object;
const { parse, stringify } = JSON;
const { isPromise } = require('util').types;
const { Connection } = process.binding('inspector');
const { runInContext } = process.binding('contextify').ContextifyScript.prototype;
const { slice, includes } = String.prototype;
const { BigInt, Number } = globalThis;
const SyntaxErrorType = SyntaxError;

// What a cell that may declare, import or wait contains somewhere.
const NEEDS_REPL = /\b(?:let|const|class|await|import|export|using)\b/;
const HAS_AWAIT = /\bawait\b/;
const HAS_CONST = /\bconst\b/;
const HAS_MODULES = /\b(?:import|export)\b|\bfor\s+await\b/;
const REDECLARED = /^Identifier '.*' has already been declared$/;
const REDECLARED_MAX = 20; // names of a cell that V8 is asked to take otherwise

// ---- what the user code sees of the kernel: one name ----

let job = null; // what the guard runs
let taken; // the value that the inspector has handed over

defineProperty(globalThis, '__codecell__', {
  __proto__: null, enumerable: false, configurable: false, writable: false,
  value: function (value) {
    const verb = job;
    job = null;
    if (verb !== null) verb();
    else taken = value;
  },
});
const TAKE = stringify("function(){'use strict';__codecell__(this)}");

// Asked of the global object: a bare name would be looked up among all that cells have declared.
const guardScript = new Script('this.__codecell__()',
  { __proto__: null, filename: '<codecell guard>' });

// Run what may be interrupted; true if it was. The watchdog is started once
// for all (javascript.js): to make its thread costs a hundred microseconds.
exports.guard = function (verb) {
  job = verb;
  try {
    apply(runInContext, guardScript, [null, -1, false, true, false]);
  } catch (error) {
    job = null;
    if (kernel.isInterrupt(error)) return true;
    kernel.giveUp(error, false);
  }
  return false;
};

// ---- the inspector ----

let inspector = new Connection(hear);
const { dispatch, disconnect } = inspector;

let serial = 0; // of messages
let evaluation = 0; // the message whose answer is awaited

function ask(method, parameters) {
  serial += 1;
  apply(dispatch, inspector, [`{"id":${serial},"method":"${method}","params":{${parameters}}}`]);
}

// The value that an answer stands for.
function local(remote) {
  if (hasOwn(remote, 'objectId')) {
    taken = undefined;
    kernel.cell.holdsObjects = true;
    ask('Runtime.callFunctionOn',
      `"objectId":${stringify(remote.objectId)},"functionDeclaration":${TAKE},"silent":true`);
    const value = taken;
    taken = undefined;
    return value;
  }
  if (hasOwn(remote, 'unserializableValue')) {
    const text = remote.unserializableValue;
    return remote.type === 'bigint' ? BigInt(apply(slice, text, [0, -1])) : Number(text);
  }
  return remote.type === 'undefined' ? undefined : remote.value;
}

function hear(message) {
  if (evaluation === 0) return;
  const answer = parse(message);
  if (!hasOwn(answer, 'id') || answer.id !== evaluation) return;
  evaluation = 0;
  const { cell } = kernel;
  if (!hasOwn(answer, 'result')) {
    kernel.giveUp(new Error(answer.error.message), true);
    if (cell.isWaiting) kernel.conclude();
    return;
  }
  const { result } = answer;
  if (!hasOwn(result, 'exceptionDetails')) {
    settle(local(result.result));
    return;
  }
  const details = result.exceptionDetails;
  const error = local(details.exception);
  if (cell.isCompiling) {
    cell.place = { __proto__: null, line: details.lineNumber + 1, column: details.columnNumber };
  }
  arrive(error, true);
}

// The inspector does not keep the promise that it waits for. Were that collected, because nothing
// can ever resolve what it awaits, it would answer in the middle of the collection: node 22 dies.
function holdPromises(cell) {
  let held = 0;
  cell.promises = [null, null, null, null];
  cell.letGo = require('v8').promiseHooks.onInit((promise) => {
    if (held < 4) cell.promises[held] = promise;
    held += 1;
  });
}

function evaluate(source) {
  const { cell } = kernel;
  cell.isCompiling = true; // an answer within the call is of the compiler
  evaluation = serial + 1;
  if (matches(HAS_AWAIT, source)) holdPromises(cell);
  ask('Runtime.evaluate', `"expression":${stringify(`${source}\n//# sourceURL=${cell.name}`)},` +
    '"replMode":true,"objectGroup":"cell"');
  cell.isCompiling = false;
  letGo(cell);
}

function letGo(cell) {
  if (cell.letGo !== null) cell.letGo();
  cell.letGo = null;
}

// Forget what the cell has left with the inspector.
exports.release = function (cell) {
  letGo(cell);
  if (evaluation !== 0) { // an answer that must not come any more
    exports.disconnect();
    inspector = new Connection(hear);
  } else if (cell.holdsObjects) {
    ask('Runtime.releaseObjectGroup', '"objectGroup":"cell"');
  }
};

// What it is still to answer it answers with an error, which nobody is to hear: the code, which ends
// its process after it has waited, has come to no harm.
exports.disconnect = function () {
  evaluation = 0;
  apply(disconnect, inspector, []);
};

// ---- the value ----

// A promise is waited for.
function settle(value) {
  let isPending;
  try {
    isPending = isPromise(value) || value !== null && typeof value === 'object' &&
      typeof value.then === 'function';
  } catch (error) {
    arrive(error, true);
    return;
  }
  if (isPending) wait(value, kernel.cell);
  else arrive(value, false);
}

async function wait(promise, cell) {
  let value, isFailure = false;
  try {
    value = await promise;
  } catch (error) {
    value = error;
    isFailure = true;
  }
  if (kernel.cell === cell) arrive(value, isFailure);
}

// ---- a cell ----

// Whether V8 has refused a name before it ran anything. Code may throw the same, by eval.
function isRedeclaration(error, source) {
  return error instanceof SyntaxErrorType && matches(REDECLARED, error.message) &&
    apply(includes, `${error.stack}`, [`at ${kernel.cell.name}:1:1`]) &&
    part('javascript_names').redeclare(source, error.message) !== null;
}

// Run it as a script; false, and nothing was run, if V8 does not take it so.
function runPlain(source) {
  let script;
  try {
    script = new Script(source, { __proto__: null, filename: kernel.cell.name });
  } catch {
    return false; // the inspector tells where
  }
  let value;
  try {
    value = apply(runInContext, script, [null, -1, false, false, false]);
  } catch (error) {
    if (isRedeclaration(error, source)) return false;
    arrive(error, true);
    return true;
  }
  settle(value);
  return true;
}

function restart(cell) {
  cell.hasArrived = false;
  cell.place = null;
}

function run(source) {
  if (!matches(NEEDS_REPL, source) && runPlain(source)) return;
  const { cell } = kernel;
  cell.source = source; // without what rewrite adds
  if (matches(HAS_MODULES, source)) {
    source = part('javascript_syntax').rewrite(source);
    if (source === null) return;
  }
  evaluate(source);
  for (let i = 0; i < REDECLARED_MAX && cell.place !== null; i += 1) {
    if (!matches(REDECLARED, `${cell.value.message}`)) return;
    source = part('javascript_names').redeclare(source, cell.value.message);
    if (source === null) return;
    restart(cell);
    evaluate(source);
  }
}

let hasConstants = false; // in any cell so far

// Begin to run the code of the cell: its end arrives, now or later.
exports.begin = function (language) {
  const { cell } = kernel;
  let source = cell.code;
  if (language === 'typescript') {
    source = part('javascript_types').strip(source);
    if (source === null) return; // it has said why
  }
  if (hasConstants || matches(HAS_CONST, source)) {
    hasConstants = true;
    source = part('javascript_names').loosen(source);
  }
  run(source);
  if (cell.place !== null && cell.names !== null && cell.names.plain !== null) {
    restart(cell);
    run(cell.names.plain);
  }
};
