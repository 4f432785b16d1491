// Where V8 needs help with the source of a cell: import and export, which it
// knows in modules only; names that are declared again as something else; and
// whether a cell that waits has a value.
'use strict';

const { apply, Script, arrive } = kernel;
const { isBuiltin } = require('module');
const { slice } = kernel.strings;
const { test: exec } = kernel;

const { edit, is, scan } = part('javascript_words');

// ---- import and export ----

// What stands for an import statement whose words begin at `i`; null if it is none.
function readImport(words, i) {
  let k = i + 1, whole = '', named = '';
  const names = [];
  if (words[k] === undefined) return null;
  if (words[k].kind === 'word' && !is(words[k], 'from')) {
    names[0] = `default: ${words[k].text}`;
    k += 1;
    if (is(words[k], ',')) k += 1;
  } else if (is(words[k], 'from') && is(words[k + 1], 'from')) {
    names[0] = 'default: from';
    k += 1;
  }
  if (is(words[k], '*') && is(words[k + 1], 'as') && words[k + 2] !== undefined) {
    whole = words[k + 2].text;
    k += 3;
  } else if (is(words[k], '{')) {
    for (k += 1; words[k] !== undefined && !is(words[k], '}'); k += 1) {
      if (is(words[k], ',')) continue;
      const name = words[k].text;
      if (is(words[k + 1], 'as') && words[k + 2] !== undefined) {
        names[names.length] = `${name}: ${words[k + 2].text}`;
        k += 2;
      } else {
        names[names.length] = name === 'default' ? 'default: default_' : name;
      }
    }
    k += 1;
  }
  named = names.length > 0 ? `{${names.join(', ')}}` : '';
  const isBare = k === i + 1;
  if (!isBare) {
    if (!is(words[k], 'from')) return null;
    k += 1;
  }
  const module = words[k];
  if (module === undefined || module.kind !== 'string') return null;
  let options = '';
  if ((is(words[k + 1], 'with') || is(words[k + 1], 'assert')) && is(words[k + 2], '{')) {
    const from = k + 1;
    for (k += 3; words[k] !== undefined && !is(words[k], '}'); k += 1);
    if (words[k] === undefined) return null;
    options = `, {${words[from].text}: {`;
    for (let n = from + 2; n < k; n += 1) options += words[n].text;
    options += '}}';
  }
  const load = `await $mport.static(${module.text}${options})`;
  let text = `void ${load}`;
  if (whole !== '') text = `let ${whole} = ${load}${named === '' ? '' : `, ${named} = ${whole}`}`;
  else if (named !== '') text = `let ${named} = ${load}`;
  const next = words[k + 1];
  return { __proto__: null, text: is(next, ';') ? text : `${text};`, end: words[k].end };
}

// The words of an export statement that are dropped, and what stands for them.
function readExport(words, i) {
  const next = words[i + 1];
  if (is(next, 'default')) {
    const after = words[i + 2], far = words[i + 3], named = is(far, '*') ? words[i + 4] : far;
    const isDeclaration = is(after, 'function') || is(after, 'class') ||
      is(after, 'async') && is(far, 'function');
    const hasName = isDeclaration && (is(after, 'async') || named !== undefined &&
      named.kind === 'word' && named.text !== 'extends');
    return { __proto__: null, text: hasName ? '' : 'let $default =', end: next.end };
  }
  if (is(next, '{') || is(next, '*')) {
    let k = i + 2;
    if (is(next, '{')) for (; words[k] !== undefined && !is(words[k], '}'); k += 1);
    else if (is(words[k], 'as')) k += 1;
    else k -= 1;
    if (is(words[k + 1], 'from')) k += 2;
    return { __proto__: null, text: ';', end: words[k] === undefined ? next.end : words[k].end };
  }
  return { __proto__: null, text: '', end: words[i].end };
}

// The source as a script may have it. What it means to wait for is left to the REPL mode of V8.
exports.rewrite = function (source) {
  const words = scan(source);
  const edits = [], bare = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    if (word.kind !== 'word' || is(words[i - 1], '.') || is(words[i - 1], '?.')) continue;
    let found = null;
    if (word.text === 'import' && is(words[i + 1], '(')) {
      found = { __proto__: null, text: '$mport', end: word.end };
      bare[bare.length] = { start: word.start, ...found };
    } else if (word.depth === 0 && word.text === 'import' && !is(words[i + 1], '.')) {
      found = readImport(words, i);
      if (found !== null) bare[bare.length] = { start: word.start, end: found.end, text: ';' };
    } else if (word.depth === 0 && word.text === 'export') {
      found = readExport(words, i);
      bare[bare.length] = { start: word.start, ...found };
    }
    if (found === null) continue;
    edits[edits.length] = { start: word.start, end: found.end, text: found.text };
    while (words[i + 1] !== undefined && words[i + 1].start < found.end) i += 1;
  }
  kernel.cell.source = edit(source, bare);
  return isForAwaitAlone(words) && refuse(kernel.cell.source) ? null : edit(source, edits);
};

// ---- for await ----

function isForAwaitAlone(words) {
  for (let i = 1; i < words.length; i += 1) {
    if (is(words[i], 'await') && is(words[i - 1], 'for')) return true;
  }
  return false;
}

const WHERE = /:(\d+)\n([^]*?)\n( *)\^/;

// As the reference has it: a cell is only looked at for what it awaits if an await expression is
// in it. Compiled as a script, the first thing that is wrong with any other is its `for await`.
function refuse(source) {
  let text = source, place = null;
  for (;;) {
    let error = null;
    try {
      new Script(text, { __proto__: null, filename: 'cell' });
    } catch (problem) {
      error = problem;
    }
    if (error === null) break;
    const found = apply(exec, WHERE, [`${error.stack}`]);
    if (error.message !== 'Unexpected reserved word' || found === null) return false;
    const line = Number(found[1]), column = found[3].length;
    let start = 0;
    for (let n = 1; n < line; n += 1) start = text.indexOf('\n', start) + 1;
    start += column;
    if (apply(slice, text, [start, start + 5]) !== 'await') return false;
    text = `${apply(slice, text, [0, start])}     ${apply(slice, text, [start + 5])}`;
    if (place === null) place = { __proto__: null, line, column };
  }
  if (place === null) return false;
  const { cell } = kernel;
  cell.place = place;
  cell.advice = 'Put the loop into an async function and await that: await (async () => { ... })()';
  arrive(new SyntaxError('Unexpected reserved word'), true);
  return true;
}

// ---- the value of a cell that waits ----

function compiles(source) {
  try {
    new Script(source, { __proto__: null, filename: 'cell' });
    return true;
  } catch {
    return false;
  }
}

const ASSIGNMENT = /^(?:=|(?:\*\*|<<|>>>?|&&|\|\||\?\?|[-+*/%&|^])=)$/;

// Whether an expression assigns, as a whole: that is no value to show.
function isAssignment(text) {
  const words = scan(text);
  while (words.length > 0 && is(words[words.length - 1], ';')) words.pop();
  if (words.length === 0) return true;
  const first = words[0], last = words[words.length - 1];
  const inside = apply(slice, text, [first.end, last.start]);
  if (is(first, '(') && is(last, ')') && compiles(`async () => (${inside}\n)`)) {
    return isAssignment(inside);
  }
  for (let i = 0; i < words.length; i += 1) {
    if (words[i].depth !== 0 || words[i].kind !== 'sign') continue;
    if (is(words[i], '=>')) return false;
    if (apply(exec, ASSIGNMENT, [words[i].text]) !== null) {
      return compiles(`async () => { [${apply(slice, text, [0, words[i].start])}] = []; }`);
    }
  }
  return false;
}

// A cell that waits shows its last statement, if that is an expression other than an assignment;
// one that does not, whatever its last statement came to.
exports.hasValue = function (source) {
  if (compiles(source)) return true;
  const words = scan(source);
  for (let i = words.length - 1; i >= 0; i -= 1) {
    const before = words[i - 1];
    const isBoundary = words[i].depth === 0 &&
      (i === 0 || words[i].isFirst || is(before, ';') || is(before, '}'));
    if (!isBoundary || is(words[i], ';')) continue;
    let text = apply(slice, source, [words[i].start]);
    for (let k = words.length - 1; k > i && is(words[k], ';'); k -= 1) {
      text = apply(slice, source, [words[i].start, words[k].start]);
    }
    const head = apply(slice, source, [0, words[i].start]);
    if (!compiles(`async () => {${head}\n}`)) continue;
    if (words[i].text === 'function' || words[i].text === 'class' || words[i].text === '{' ||
        words[i].text === 'async' && is(words[i + 1], 'function')) return false;
    return compiles(`async () => (${text}\n)`) && !isAssignment(text);
  }
  return false;
};

// ---- loading ----

// A function for import() in cells. Its paths are relative to the current folder.
exports.loader = function () {
  const { resolve } = require('path');
  const { pathToFileURL } = require('url');
  const load = (place, options) =>
    (options === undefined ? kernel.load(place) : kernel.load(place, options));
  return async function (specifier, options) {
    const text = `${specifier}`;
    if (/^\.{0,2}\//.test(text)) return load(pathToFileURL(resolve(text)).href, options);
    try {
      return await load(text, options);
    } catch (error) {
      // The folders of NODE_PATH, where require() looks too, are not among those of import().
      if (error?.code !== 'ERR_MODULE_NOT_FOUND') throw error;
      let found;
      try {
        found = globalThis.require.resolve(text);
      } catch {
        throw error;
      }
      return load(pathToFileURL(found).href, options);
    }
  };
};

const AS_MODULE = {
  __proto__: null, ERR_REQUIRE_ESM: true, ERR_REQUIRE_ASYNC_MODULE: true,
  ERR_PACKAGE_PATH_NOT_EXPORTED: true,
};

// What an import statement gets: a CommonJS module where there is one, as require() finds it, since
// that is what most packages have, and its errors are the ones that people know.
exports.importStatement = async function (specifier, options) {
  const load = exports.loader();
  if (options !== undefined || isBuiltin(specifier)) return load(specifier, options);
  let module;
  try {
    module = globalThis.require(specifier);
  } catch (error) {
    const isModule = AS_MODULE[error.code] || error instanceof SyntaxError;
    if (!isModule) throw error;
    return load(specifier);
  }
  if (require('util').types.isModuleNamespaceObject(module)) return module;
  const facade = { __proto__: null, default: module };
  if (module !== null && (typeof module === 'object' || typeof module === 'function')) {
    for (const name of Object.keys(module)) {
      if (name === 'default') continue;
      Object.defineProperty(facade, name, {
        __proto__: null, enumerable: true, get: () => module[name],
      });
    }
  }
  return facade;
};
