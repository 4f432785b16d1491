// What a cell threw, as its user wants to read it.
'use strict';

const { apply, inspect, matches, sources, test: exec } = kernel;
const { slice, split, includes, indexOf } = kernel.strings;

const FRAME = /^\s+(?:at |\.\.\. \d+ lines )/;
const NOISE = /<codecell |^\s+\.\.\. \d+ lines|\((?:node:|native\))|^\s+at (?:async )?node:/;
const REFUSED = 'TypeError: Assignment to constant variable.';
const ADDED = '$const.'.length;
const PLACE = /<cell-(\d+)>:(\d+):(\d+)/;

function lines(text) {
  return apply(split, text, ['\n']);
}

// Without the frames of the kernel and of node.
function clean(text) {
  if (!apply(includes, text, ['\n'])) return text;
  let kept = '', isFirst = true;
  const all = lines(text);
  for (let i = 0; i < all.length; i += 1) {
    if (matches(FRAME, all[i]) && matches(NOISE, all[i])) {
      if (apply(slice, all[i], [-2]) === ' {') kept += ' {';
      continue;
    }
    kept += isFirst ? all[i] : `\n${all[i]}`;
    isFirst = false;
  }
  return kept;
}

// Only if there are frames of the kernel: what a program prints is its own business.
exports.cleanOutput = function (text) {
  return apply(includes, text, ['<codecell ']) ? clean(text) : text;
};

function property(error, name) {
  if (error === null || typeof error !== 'object' && typeof error !== 'function') return undefined;
  try {
    return error[name];
  } catch (problem) {
    if (kernel.isInterrupt(problem)) throw problem;
    return undefined;
  }
}

function textOf(value) {
  try {
    return typeof value === 'string' ? value : `${value}`;
  } catch (problem) {
    if (kernel.isInterrupt(problem)) throw problem;
    return '';
  }
}

function show(error) {
  try {
    return inspect(error);
  } catch (problem) {
    if (kernel.isInterrupt(problem)) throw problem;
    return `[${typeof error} that cannot be inspected]`;
  }
}

function excerpt(name, line, column) {
  const source = sources[name];
  if (source === undefined) return '';
  const text = lines(source)[line - 1];
  if (text === undefined || text.length > 500) return `${name}:${line}\n\n`;
  let caret = '';
  for (let i = 0; i < column; i += 1) caret += text[i] === '\t' ? '\t' : ' ';
  return `${name}:${line}\n${text}\n${caret}^\n\n`;
}

// Places in a stack are those of the code that ran: of TypeScript, what was made of it.
function mapLines(text) {
  const { cell } = kernel;
  if (cell !== null && cell.names !== null && apply(includes, text, [REFUSED])) {
    // What refuses stands in place of the name (javascript_names.js).
    text = text.replace(PLACE, (whole, name, line, column) =>
      `<cell-${name}>:${line}:${Math.max(1, column - ADDED)}`);
  }
  if (cell === null || cell.toUserLine === null) return text;
  const pattern = new RegExp(`${cell.name}:(\\d+):(\\d+)`, 'g');
  return text.replace(pattern, (whole, line, column) => {
    const place = cell.toUserLine(Number(line), Number(column));
    return `${cell.name}:${place.line}:${place.column}`;
  });
}

exports.stackOf = function (error) {
  const stack = property(error, 'stack');
  return mapLines(clean(typeof stack === 'string' && stack !== '' ? stack : show(error)));
};

exports.describe = function (error) {
  const { cell } = kernel;
  const name = property(error, 'name'), message = property(error, 'message');
  const values = {
    __proto__: null,
    name: name ? textOf(name) : typeof error,
    value: message ? textOf(message) : mapLines(clean(show(error))),
  };
  if (cell.place !== null) {
    let { line, column } = cell.place;
    if (cell.toUserLine !== null && !cell.isUserPlace) {
      const place = cell.toUserLine(line, column + 1);
      line = place.line;
      column = place.column - 1;
    }
    const advice = cell.advice === undefined ? '' : `\n${cell.advice}`;
    values.traceback =
      `${excerpt(cell.name, line, column)}${values.name}: ${values.value}${advice}`;
    values.line = `${line}`;
    return values;
  }
  const text = mapLines(clean(show(error)));
  values.traceback = text;
  const found = apply(exec, PLACE, [text]);
  if (found !== null) {
    values.traceback =
      excerpt(`<cell-${found[1]}>`, Number(found[2]), Number(found[3]) - 1) + text;
    const at = apply(indexOf, text, [`${cell.name}:`]);
    const own = at < 0 ? null : apply(exec, PLACE, [apply(slice, text, [at])]);
    if (own !== null) values.line = own[2];
  }
  return values;
};
