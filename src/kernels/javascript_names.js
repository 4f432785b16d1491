// Names of cells. V8 lets a `let` of its REPL mode be declared again, but as
// nothing else than a `let`: so a `const` at the top level is made one, and
// what would assign to it is made to fail. Where that cannot be told from
// the words alone, it may assign: better than to refuse what is right.
'use strict';

const { apply, Script } = kernel;
const { edit, is, scan } = part('javascript_words');
const { test: exec } = kernel;

const KINDS = { __proto__: null, let: true, const: true, class: true, var: true, function: true };
const NAMES_MAX = 500;

let constants = { __proto__: null }, count = 0;

// Whether the word at `i` begins a declaration at the top level.
function isDeclaration(words, i) {
  const word = words[i];
  return word.depth === 0 && word.kind === 'word' && KINDS[word.text] === true &&
    !is(words[i - 1], '.') && !is(words[i + 1], ':') && !is(words[i + 1], '=');
}

// Call verb with each name that the declaration at `i` has.
function eachName(words, i, verb) {
  const keyword = words[i].text;
  if (keyword === 'class' || keyword === 'function') {
    const name = is(words[i + 1], '*') ? words[i + 2] : words[i + 1];
    if (name !== undefined && name.kind === 'word') verb(name.text);
    return;
  }
  let isTarget = true;
  for (let k = i + 1; k < words.length; k += 1) {
    const word = words[k], before = words[k - 1];
    if (is(word, ';') && word.depth === 0) return;
    if (word.isFirst && word.depth === 0 && k > i + 1 && !is(before, ',') && !is(before, '=')) {
      return;
    }
    if (isTarget && word.kind === 'word' && !is(word, 'in') && !is(word, 'of') &&
        (word.depth === 0 || !is(words[k + 1], ':') && isPatternPlace(before))) verb(word.text);
    if (word.depth === 0) {
      if (is(word, '=')) isTarget = false;
      else if (is(word, ',')) isTarget = true;
    }
  }
}

function isPatternPlace(before) {
  return is(before, '{') || is(before, '[') || is(before, ',') || is(before, ':') ||
    is(before, '...');
}

const ASSIGNS = /^(?:=|(?:\*\*|<<|>>>?|[-+*/%&|^])=|\+\+|--)$/;
const BLOCKS = /^(?:\)|try|else|do|finally|=>|;|\{|\})$/;

// Whether the word at `i` could be a name of a narrower scope: a parameter, part of a pattern.
function isBound(words, i) {
  const before = words[i - 1];
  if (before === undefined) return is(words[i + 1], '=>');
  if (is(words[i + 1], '=>') || KINDS[before.text] === true && before.kind === 'word') return true;
  if (is(before, '(') || is(before, ',') || is(before, '[') || is(before, '...') ||
      is(before, '*')) return true;
  return is(before, '{') && i > 1 && apply(exec, BLOCKS, [words[i - 2].text]) === null;
}

function isAssigned(words, i) {
  const next = words[i + 1], before = words[i - 1];
  if (is(before, '.') || is(before, '?.')) return false;
  return next !== undefined && next.kind === 'sign' && !(next.isFirst && next.text.length === 2) &&
    apply(exec, ASSIGNS, [next.text]) !== null || is(before, '++') || is(before, '--');
}

let known = null; // a pattern of what may declare or change a constant

function pattern() {
  let names = '';
  for (const name in constants) {
    names += `${names === '' ? '' : '|'}${name.replace(/\$/g, '\\$&')}`;
  }
  if (names === '') return null;
  const before = '\\b(?:let|var|class|function\\*?)\\s+|[,{[(*]\\s*|\\+\\+\\s*|--\\s*';
  return new RegExp(`(?:${before})(?:${names})(?![\\w$])` +
    `|(?<![\\w$.])(?:${names})\\s*(?:[-+*/%&|^<>]*=(?![=>])|\\+\\+|--)`);
}

// Whether the constant at `i` gets a value, as it must.
function isInitialized(words, i) {
  const name = words[i + 1], next = words[i + 2];
  return name === undefined || name.kind !== 'word' || is(next, '=');
}

const HAS_CONST = /\bconst\b/;

// The source of a cell in which constants are variables that are not assigned to.
exports.loosen = function (source) {
  if (!kernel.matches(HAS_CONST, source) && (known === null || !kernel.matches(known, source))) {
    return source;
  }
  const words = scan(source);
  const fresh = { __proto__: null }, gone = { __proto__: null }, own = { __proto__: null };
  const edits = [];
  for (let i = 0; i < words.length; i += 1) {
    if (!isDeclaration(words, i)) continue;
    const isConst = words[i].text === 'const';
    if (isConst && !isInitialized(words, i)) return source; // V8 says what is wrong
    if (isConst) edits[edits.length] = { start: words[i].start, end: words[i].end, text: 'let  ' };
    eachName(words, i, (name) => {
      (isConst ? fresh : gone)[name] = true;
      own[name] = (own[name] || 0) + 1;
    });
  }
  const loosened = edits.length;
  protect(words, fresh, gone, own, edits);
  // Should V8 refuse what is protected, it was misread here.
  const plain = edits.length === loosened ? null : edit(source, edits.slice(0, loosened));
  kernel.cell.names = { __proto__: null, fresh, gone, plain };
  return edit(source, edits.sort((a, b) => a.start - b.start));
};

function protect(words, fresh, gone, own, edits) {
  const bound = { __proto__: null };
  const isConstant = (name) => gone[name] === undefined &&
    (fresh[name] === true || constants[name] === true);
  for (let i = 0; i < words.length; i += 1) {
    const name = words[i].text;
    if (words[i].kind === 'word' && isConstant(name) && isBound(words, i)) {
      bound[name] = (bound[name] || 0) + 1;
    }
  }
  const fields = classLevels(words);
  for (let i = 0; i < words.length; i += 1) {
    const { kind, text: name, start, end } = words[i];
    if (kind === 'word' && !fields[i] && isConstant(name) && isAssigned(words, i) &&
        !isBound(words, i) && (bound[name] || 0) <= (own[name] || 0)) {
      edits[edits.length] = { start, end, text: `$const.${name}` };
    }
  }
}

// Which words stand in the body of a class, where `name = value` makes a field.
function classLevels(words) {
  const levels = [], bodies = { __proto__: null };
  let pending = -1; // depth of a class whose body has not begun
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    if (is(word, 'class') && word.kind === 'word' && !is(words[i - 1], '.')) pending = word.depth;
    else if (is(word, '{')) {
      bodies[word.depth + 1] = pending === word.depth;
      if (bodies[word.depth + 1]) pending = -1;
    } else if (is(word, '(') || is(word, '[')) bodies[word.depth + 1] = false;
    levels[i] = bodies[word.depth] === true;
  }
  return levels;
}

// The cell was taken: what it has declared holds from now on.
exports.keep = function ({ fresh, gone }) {
  for (const name in gone) delete constants[name];
  for (const name in fresh) constants[name] = true;
  count = 0;
  for (const name in constants) if ((count += 1) > NAMES_MAX) delete constants[name];
  known = pattern();
};

exports.refuser = new Proxy({ __proto__: null }, {
  __proto__: null,
  set() {
    throw new TypeError('Assignment to constant variable.');
  },
});

// ---- a name that V8 refuses ----

const NAME = /^Identifier '(.*)' has already been declared$/;

// What a name was declared as, or null.
function kindOf(name) {
  const declared = Object.getOwnPropertyDescriptor(globalThis, name);
  if (declared !== undefined && !declared.configurable) return 'var';
  try {
    // Only a constant refuses, and nothing is changed.
    new Script(`${name} = ${name}`, { __proto__: null, filename: 'cell' }).runInThisContext();
    return 'let';
  } catch (error) {
    return error instanceof ReferenceError ? null : 'const';
  }
}

// The source, with the declaration of the name as V8 takes it: in its REPL mode a let may follow a
// let, and a const a const.
exports.redeclare = function (source, message) {
  const name = apply(exec, NAME, [message])[1];
  const kind = kindOf(name);
  if (kind === null) return null; // twice in this cell
  const words = scan(source);
  const edits = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    if (word.depth !== 0 || word.kind !== 'word' || KINDS[word.text] === undefined) continue;
    if (is(words[i - 1], '.') || is(words[i + 1], ':')) continue;
    const isAsync = is(words[i - 1], 'async');
    const first = isAsync ? words[i - 1] : word;
    if (word.text === 'class' || word.text === 'function') {
      const named = is(words[i + 1], '*') ? words[i + 2] : words[i + 1];
      if (!is(named, name) || !isStatement(words, i, first)) continue;
      edits[edits.length] = {
        start: first.start, end: first.start, text: `${kind} ${name} = `,
      };
      const end = bodyEnd(words, i);
      if (end !== null) edits[edits.length] = { start: end, end, text: ';' };
    } else if (word.text !== kind && declares(words, i, name)) {
      edits[edits.length] = { start: word.start, end: word.end, text: kind };
    }
  }
  return edits.length === 0 ? null : edit(source, edits);
};

function isStatement(words, i, first) {
  const before = words[i - 1];
  return first !== words[i] || first.isFirst || before === undefined || is(before, ';') ||
    is(before, '}');
}

function bodyEnd(words, i) {
  let isOpen = false;
  for (let k = i; k < words.length; k += 1) {
    if (words[k].depth !== 0) continue;
    if (is(words[k], '{')) isOpen = true;
    else if (is(words[k], '}') && isOpen) return words[k].end;
  }
  return null;
}

// Whether the declaration whose keyword is at `i` has the name.
function declares(words, i, name) {
  for (let k = i + 1; k < words.length; k += 1) {
    const word = words[k];
    if (word.depth === 0 && (is(word, ';') || KINDS[word.text] !== undefined &&
        word.kind === 'word' && word.isFirst)) return false;
    if (is(word, name) && !is(words[k - 1], '.') && !is(words[k + 1], ':')) return true;
  }
  return false;
}
