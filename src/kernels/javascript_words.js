// The words of a source: enough of JavaScript's grammar to find what stands
// at the top level, not to understand it.
'use strict';

const { apply } = kernel;
const { slice } = kernel.strings;
const { test: exec } = kernel;

const SPACE = /[\s\ufeff]+|\/\/[^\n\r\u2028\u2029]*|\/\*[^]*?\*\//y;
const PLAIN_WORD = /[\p{ID_Start}$_#][\p{ID_Continue}$\u200c\u200d]*/uy;
const NUMBER = /\.?\d[\w.]*/y;
const STRING = /'(?:[^'\\\n]|\\[^])*'|"(?:[^"\\\n]|\\[^])*"/y;
const CHUNK = /(?:[^`\\$]|\\[^]|\$(?!\{))*(`|\$\{|$)/y;
const PATTERN = /\/(?:[^/\\[\n]|\\[^\n]|\[(?:[^\]\\\n]|\\[^\n])*\])+\/\w*/y;
const ASSIGNING = /(?:\*\*|<<|>>>?|&&|\|\||\?\?|[-+*/%&|^])=/;
const OTHERS = /=>|\.\.\.|[=!]==?|[<>]=|\+\+|--|\?\.(?!\d)|&&|\|\||\?\?|[^]/;
const SIGN = new RegExp(`${ASSIGNING.source}|${OTHERS.source}`, 'y');
// After these a slash begins a pattern: an operand is expected.
const BEFORE_OPERAND =
  /^(?:return|typeof|instanceof|in|of|new|delete|void|throw|case|do|else|await|yield)$/;

function at(pattern, text, place) {
  pattern.lastIndex = place;
  const found = apply(exec, pattern, [text]);
  return found === null || found[0] === '' && pattern !== CHUNK ? null : found;
}

// The words of a source: {kind, text, start, end, depth, isFirst (of its line)}.
exports.scan = function (source) {
  const words = [];
  const templates = []; // depths of the braces that lead back into a template
  let place = 0, depth = 0, isFirst = true, last = null;
  const add = (kind, text, end) => {
    last = { __proto__: null, kind, text, start: place, end, depth, isFirst };
    words[words.length] = last;
    place = end;
    isFirst = false;
  };
  const template = () => {
    const found = at(CHUNK, source, place + 1);
    const end = place + 1 + found[0].length;
    add('template', apply(slice, source, [place, end]), end);
    if (found[1] === '${') {
      templates[templates.length] = depth;
      depth += 1;
    }
  };
  while (place < source.length) {
    let found = at(SPACE, source, place);
    if (found !== null) {
      if (found[0].includes('\n')) isFirst = true;
      place += found[0].length;
      continue;
    }
    const character = source[place];
    if ((found = at(PLAIN_WORD, source, place)) !== null) {
      add('word', found[0], place + found[0].length);
    } else if ((found = at(NUMBER, source, place)) !== null) {
      add('number', found[0], place + found[0].length);
    } else if ((found = at(STRING, source, place)) !== null) {
      add('string', found[0], place + found[0].length);
    } else if (character === '`') {
      template();
    } else if (character === '/' && isOperandNext(last) &&
        (found = at(PATTERN, source, place)) !== null) {
      add('pattern', found[0], place + found[0].length);
    } else if (character === '}' && templates.length > 0 &&
        templates[templates.length - 1] === depth - 1) {
      depth = templates.pop();
      template();
    } else {
      found = at(SIGN, source, place);
      const text = found[0];
      if (text === ')' || text === ']' || text === '}') depth -= 1;
      add('sign', text, place + text.length);
      if (text === '(' || text === '[' || text === '{') depth += 1;
    }
  }
  return words;
};

function isOperandNext(last) {
  if (last === null) return true;
  if (last.kind === 'word') return apply(exec, BEFORE_OPERAND, [last.text]) !== null;
  return last.kind === 'sign' && last.text !== ')' && last.text !== ']' ||
    last.kind === 'template' && last.text.endsWith('${');
}

exports.is = function (word, text) {
  return word !== undefined && word.kind !== 'string' && word.text === text;
};

// ---- edits ----

// Replace pieces of a source, {start, end, text}, in order; lines stay where they are.
exports.edit = function (source, edits) {
  let result = '', place = 0;
  for (let i = 0; i < edits.length; i += 1) {
    const { start, end, text } = edits[i];
    const removed = apply(slice, source, [start, end]);
    let lines = '';
    for (let k = 0; k < removed.length; k += 1) if (removed[k] === '\n') lines += '\n';
    result += apply(slice, source, [place, start]) + text + lines;
    place = end;
  }
  return result + apply(slice, source, [place]);
};
