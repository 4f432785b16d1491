// TypeScript: types are taken away by node where it can, else by an esbuild
// or typescript that is installed.
'use strict';

const { apply, Buffer, Script, arrive, matches } = kernel;
const { existsSync } = require('fs');
const { stripTypeScriptTypes } = require('module');
const { test: exec } = kernel;

const FOLDERS = ['node_modules', '/usr/local/lib/node_modules', '/usr/lib/node_modules',
  '/usr/share/nodejs'];
const PROGRAMS = ['/usr/bin/esbuild', '/usr/local/bin/esbuild'];
const LACK = 'node before 22.13 takes no types away; install a newer nodejs, or esbuild ' +
  '(apt-get install esbuild), or typescript (npm install -g typescript)';

function installed(name) {
  for (let i = 0; i < FOLDERS.length; i += 1) {
    const folder = `${FOLDERS[i]}/${name}`;
    if (existsSync(`${folder}/package.json`)) return require('path').resolve(folder);
  }
  return null;
}

function program() {
  for (let i = 0; i < PROGRAMS.length; i += 1) {
    if (existsSync(PROGRAMS[i])) return PROGRAMS[i];
  }
  const folder = installed('esbuild');
  return folder === null ? null : `${folder}/bin/esbuild`;
}

function choose() {
  if (typeof stripTypeScriptTypes === 'function') return byNode;
  const esbuild = program();
  if (esbuild !== null) return (source) => byEsbuild(esbuild, source);
  const typescript = installed('typescript');
  return typescript === null ? null : (source) => byTypescript(typescript, source);
}

let stripper; // found when first needed

// What to install, or null.
exports.lack = function () {
  if (stripper === undefined) stripper = choose();
  return stripper === null ? LACK : null;
};

// ---- strippers: source to {code, map (a source map as JSON text) or null} ----

class Refusal extends Error {
  constructor(message, line, column) {
    super(message);
    this.line = line;
    this.column = column;
  }
}

const AT = /:(\d+)\n([^]*?)\n( *)\^/;

function byNode(source) {
  try {
    // Blanks in place of types: everything stays where it was.
    return { code: stripTypeScriptTypes(source, { __proto__: null, mode: 'strip' }), map: null };
  } catch (error) {
    if (error.code !== 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX') throw refusalOfNode(error, source);
  }
  let text;
  try {
    text = stripTypeScriptTypes(source, { __proto__: null, mode: 'transform', sourceMap: true });
  } catch (error) {
    throw refusalOfNode(error, source);
  }
  return separate(text);
}

const MESSAGE = /^\s*[x×]\s*(.*)$/m;

function refusalOfNode(error, source) {
  const message = `${error.message}`, stack = `${error.stack}`;
  const found = apply(exec, MESSAGE, [message]);
  const place = apply(exec, AT, [stack]);
  const text = found === null ? message.split('\n')[0] : found[1];
  return place === null ? new Refusal(text, 1, 0)
    : new Refusal(text, Number(place[1]), place[3].length);
}

const INLINE = /\n?\/\/# sourceMappingURL=data:application\/json;[^,]*base64,(\S+)\s*$/;

function separate(text) {
  const found = apply(exec, INLINE, [text]);
  if (found === null) return { code: text, map: null };
  return { code: text.slice(0, found.index), map: Buffer.from(found[1], 'base64').toString() };
}

const ESBUILD_ERROR = /\[ERROR\] (.*)\n\n\s*<stdin>:(\d+):(\d+):/;
const OPTIONS = JSON.stringify({
  compilerOptions: {
    preserveValueImports: true, verbatimModuleSyntax: true, experimentalDecorators: true,
    target: 'ESNext', useDefineForClassFields: true,
  },
});

function byEsbuild(esbuild, source) {
  const { spawnSync } = require('child_process');
  const done = spawnSync(esbuild, ['--loader=ts', '--sourcemap=inline', '--charset=utf8',
    '--log-level=error', '--color=false', '--sources-content=false', `--tsconfig-raw=${OPTIONS}`],
  { __proto__: null, input: source, encoding: 'utf8', maxBuffer: 1 << 28, env: {} });
  if (done.error) throw done.error;
  if (done.status !== 0) {
    const found = apply(exec, ESBUILD_ERROR, [done.stderr]);
    throw found === null ? new Refusal(done.stderr.trim() || 'esbuild failed', 1, 0)
      : new Refusal(found[1], Number(found[2]), Number(found[3]));
  }
  return separate(done.stdout);
}

function byTypescript(folder, source) {
  const typescript = require(folder);
  const { outputText, diagnostics, sourceMapText } = typescript.transpileModule(source, {
    reportDiagnostics: true,
    compilerOptions: {
      target: typescript.ScriptTarget.ESNext, module: typescript.ModuleKind.ESNext,
      verbatimModuleSyntax: true, experimentalDecorators: true, sourceMap: true,
    },
  });
  const [wrong] = diagnostics.filter(({ code }) => code < 2000);
  if (wrong !== undefined) {
    const { line, character } = wrong.file.getLineAndCharacterOfPosition(wrong.start);
    throw new Refusal(typescript.flattenDiagnosticMessageText(wrong.messageText, '\n'), line + 1,
      character);
  }
  return {
    code: outputText.replace(/\n?\/\/# sourceMappingURL=\S+\s*$/, ''), map: sourceMapText,
  };
}

// ---- source maps ----

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

// For each line of the code: list of [column, line, column] of the user, all from 0.
function readMap(text) {
  const { mappings } = JSON.parse(text);
  const lines = [];
  let line = 0, column = 0;
  for (const row of mappings.split(';')) {
    const segments = [];
    let from = 0;
    for (const segment of row.split(',')) {
      const numbers = [];
      let value = 0, shift = 0;
      for (const digit of segment) {
        const bits = DIGITS.indexOf(digit);
        value += (bits & 31) << shift;
        shift += 5;
        if ((bits & 32) === 0) {
          numbers.push(value & 1 ? -(value >> 1) : value >> 1);
          value = shift = 0;
        }
      }
      if (numbers.length === 0) continue;
      from += numbers[0];
      if (numbers.length < 4) continue;
      line += numbers[2];
      column += numbers[3];
      segments.push([from, line, column]);
    }
    lines.push(segments);
  }
  return lines;
}

// Lines and columns from 1, as in a stack.
function mapper(text) {
  let lines = null;
  return (line, column) => {
    if (lines === null) lines = readMap(text);
    for (let row = Math.min(line, lines.length) - 1; row >= 0; row -= 1) {
      let best = null;
      for (const segment of lines[row]) {
        if (best === null || row < line - 1 || segment[0] < column) best = segment;
      }
      if (best !== null) {
        return { line: best[1] + 1, column: best[2] + 1 };
      }
    }
    return { line, column };
  };
}

// ---- a cell ----

const ANGLE = /</;
const MODULES = /\b(?:import|export)\b/;

// JavaScript that reads the same as TypeScript: it compiles, and nothing in it could be the types
// of a call, which JavaScript takes for comparisons.
function isPlain(source) {
  if (matches(ANGLE, source) || matches(MODULES, source)) return false;
  try {
    new Script(source, { __proto__: null, filename: 'cell' });
    return true;
  } catch {
    return false;
  }
}

// The JavaScript of a cell; null if there is none, which is then its error.
exports.strip = function (source) {
  if (isPlain(source)) return source;
  const { cell } = kernel;
  try {
    const { code, map } = stripper(source);
    if (map !== null) cell.toUserLine = mapper(map);
    return code;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    cell.place = { __proto__: null, line: error.line, column: error.column };
    cell.isUserPlace = true;
    arrive(new SyntaxError(error.message), true);
    return null;
  }
};
