--- JavaScript and TypeScript, by the parser of node, and by what takes types away there.
local report = require "codecell.analyze.report"
local scan = require "codecell.analyze.scan"

local javascript = {}

-- Reads code from standard input; its arguments are "typescript" or "javascript" and the packages
-- to look for. Parses as a script, then as a module, which may import and await. Runs neither.
local PROGRAM = [==[
const vm = require('vm'), path = require('path'), fs = require('fs');
const modules = require('module');
const [language, ...names] = process.argv.slice(1);
const found = { imports: [], errors: [], warnings: [], is_unfinished: false };
let code = fs.readFileSync(0, 'utf8');

function byEsbuild(program) {
  const done = require('child_process').spawnSync(program,
    ['--loader=ts', '--log-limit=20', '--color=false', '--log-level=error'],
    { input: code, encoding: 'utf8', maxBuffer: 1 << 26 });
  const place = /\[ERROR\] ([^\n]*)\n\s*<stdin>:(\d+):(\d+):/g;
  for (let one = place.exec(done.stderr); one; one = place.exec(done.stderr)) {
    found.errors.push({ message: one[1], line: +one[2], column: +one[3] + 1 });
  }
  if (done.status !== 0 && found.errors.length === 0) {
    found.errors.push({ message: 'esbuild could not parse it' });
  }
  return done.stdout;
}

function withoutTypes() {
  const folders = ['/usr/lib/node_modules', '/usr/local/lib/node_modules', '/usr/share/nodejs'];
  const program = ['/usr/bin/esbuild', '/usr/local/bin/esbuild',
    ...folders.map((folder) => folder + '/esbuild/bin/esbuild')].find((one) => fs.existsSync(one));
  if (program) return byEsbuild(program);
  if (typeof modules.stripTypeScriptTypes === 'function') {
    process.removeAllListeners('warning');
    try {
      return modules.stripTypeScriptTypes(code);
    } catch (error) {
      found.errors.push({ message: error.message });
      return '';
    }
  }
  found.warnings.push({ message: 'its syntax was not checked: there is no esbuild, and this node ' +
    'takes no types away' });
  return '';
}

function problem(error) {
  const stack = String(error.stack);
  const place = /^[^\n]*:(\d+)\n[^\n]*\n( *)\^/.exec(stack);
  return { message: error.message, line: place ? +place[1] : undefined,
    column: place ? place[2].length + 1 : undefined };
}

function parse(source) {
  let asScript, asModule;
  try {
    new vm.Script(source, { filename: 'cell' });
    return;
  } catch (error) {
    asScript = error;
  }
  try {
    new vm.SourceTextModule(source, { identifier: 'cell' });
    return;
  } catch (error) {
    asModule = error;
  }
  const isModule = /\b(import|export|await)\b/.test(asScript.message) ||
    /Cannot use import|await is only/.test(asScript.message);
  const told = isModule ? asModule : asScript;
  found.errors.push(problem(told));
  found.is_unfinished = /Unexpected end of input|Unterminated template|missing \) after argument/
    .test(told.message) && /Unexpected end of input|Unterminated template/.test(told.message);
}

function isThere(name) {
  if (modules.builtinModules.includes(name.replace(/^node:/, ''))) return true;
  const folders = [process.cwd(), ...modules.globalPaths];
  for (const folder of folders) {
    for (let at = folder; ; at = path.dirname(at)) {
      if (fs.existsSync(path.join(at, 'node_modules', name)) ||
          at === folder && fs.existsSync(path.join(at, name))) return true;
      if (at === path.dirname(at)) break;
    }
  }
  return false;
}

if (language === 'typescript') code = withoutTypes();
if (found.errors.length === 0) parse(code);
for (const name of names) found.imports.push({ name, is_missing: !isThere(name) });
process.stdout.write(JSON.stringify(found));
]==]

local ARGUMENTS_MOST = 200 -- packages that are looked for

--- Look at code.
---@param sandbox codecell.Sandbox
---@param code string
---@param language string "javascript" or "typescript"
---@param way table of `languages.way`
---@return table? found
---@return codecell.Error? err
function javascript.look(sandbox, code, language, way)
  local imports = scan.javascript(code)
  local argv = { way.program, "--experimental-vm-modules", "--no-warnings", "-e", PROGRAM, "--",
    language }
  for i = 1, math.min(#imports, ARGUMENTS_MOST) do
    argv[#argv + 1] = imports[i].name
  end
  local result, err = report.run(sandbox, argv, code)
  if not result then
    return nil, err
  end
  local found = report.read(result)
  for i, import in ipairs(imports) do
    import.is_missing = found.imports[i] ~= nil and found.imports[i].is_missing
  end
  found.imports, found.manager = imports, "npm"
  return found
end

return javascript
