--- The page of the form: one file, no resource of elsewhere, for keyboard and screen reader too.
local json = require "codecell.json"

local page = {}

local MARKUP = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;",
  ["'"] = "&#39;" }

local function text(value)
  return (tostring(value):gsub("[&<>\"']", MARKUP))
end

-- JSON within a script: nothing in it can end the script.
local function in_script(value)
  return (json.encode(value):gsub("<", "\\u003c"):gsub("\226\128[\168\169]", {
    ["\226\128\168"] = "\\u2028", ["\226\128\169"] = "\\u2029" }))
end

local STYLE = [[
:root { color-scheme: light dark; --line: #8885; --accent: #3659c9; --bad: #b3261e }
@media (prefers-color-scheme: dark) { :root { --accent: #9db4ff; --bad: #ff9a90 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.4rem }
form { display: grid; gap: 1.1rem }
label { font-weight: 600; display: block }
small { display: block; opacity: .75 }
input[type=text], input[type=number], textarea {
  font: inherit; width: 100%; box-sizing: border-box; padding: .4rem .5rem;
  border: 1px solid var(--line); border-radius: .3rem; background: Canvas; color: CanvasText }
textarea { min-height: 7rem }
.switch { display: flex; gap: .6rem; align-items: baseline }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px }
button { font: inherit; padding: .45rem 1.2rem; border-radius: .3rem;
  border: 1px solid var(--accent); background: var(--accent); color: Canvas; cursor: pointer }
[role=alert] { color: var(--bad); white-space: pre-line }
pre { overflow: auto; border: 1px solid var(--line); padding: .6rem; border-radius: .3rem }
]]

local SCRIPT = [[
const form = document.querySelector("form");
const told = document.querySelector("[role=alert]");
const saved = document.querySelector("output");
const names = value => value.split(/[\s,]+/).filter(name => name !== "");
const read = field => {
  const input = form.elements[field.camel];
  if (field.type === "boolean") return input.checked;
  if (field.type === "number") return Number(input.value);
  if (field.type === "packages") return names(input.value);
  return input.value;
};
const problemOf = (field, value) => {
  if (field.type === "number" && !(value > 0 && value <= field.most))
    return `${field.label}: above 0 and at most ${field.most} ${field.unit}`;
  if (field.type === "packages") {
    const wrong = value.find(name => !/^[A-Za-z0-9][A-Za-z0-9._\-\[\],<>=!~ ]*$/.test(name));
    if (wrong) return `${field.label}: ${wrong} is no name of a package`;
  }
  if (field.camel === "name" && value.trim() === "") return "Name: it needs one";
  return null;
};
form.addEventListener("submit", async event => {
  event.preventDefault();
  const config = {}, problems = [];
  for (const field of fields) {
    config[field.camel] = read(field);
    const problem = problemOf(field, config[field.camel]);
    if (problem) problems.push(problem);
    form.elements[field.camel].setAttribute("aria-invalid", problem ? "true" : "false");
  }
  told.textContent = problems.join("\n");
  saved.replaceChildren();
  if (problems.length) return;
  const text = JSON.stringify(config, null, 2);
  if (action) {
    const answer = await fetch(action, { method: "POST", body: text,
      headers: { "Content-Type": "application/json" } }).catch(error => ({ error }));
    if (!answer.ok) {
      told.textContent = answer.error ? String(answer.error) : await answer.text();
      return;
    }
  }
  if (window.parent !== window) window.parent.postMessage({ codecell: "save", config }, "*");
  document.dispatchEvent(new CustomEvent("save", { detail: config }));
  const shown = document.createElement("pre");
  shown.textContent = text;
  const link = document.createElement("a");
  link.download = "agent.json";
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.textContent = "Save as a file";
  saved.append("Saved.", shown, link);
});
]]

local function input(field, value)
  local id = text(field.camel)
  if field.type == "boolean" then
    return ('<div class="switch"><input type="checkbox" id="%s" name="%s"%s><div><label for="%s">%s'
      .. '</label><small>%s</small></div></div>'):format(id, id, value and " checked" or "", id,
      text(field.label), text(field.help))
  end
  local label = text(field.label .. (field.unit and " (" .. field.unit .. ")" or ""))
  local control
  if field.type == "text" then
    control = ('<textarea id="%s" name="%s">\n%s</textarea>'):format(id, id, text(value))
  elseif field.type == "number" then
    control = ('<input type="number" id="%s" name="%s" min="0" step="any" max="%d" value="%s">')
      :format(id, id, field.most, text(value))
  else
    control = ('<input type="text" id="%s" name="%s" value="%s">'):format(id, id,
      text(field.type == "packages" and table.concat(value, ", ") or value))
  end
  return ('<div><label for="%s">%s</label>%s<small>%s</small></div>'):format(id, label, control,
    text(field.help))
end

--- The page.
---@param fields table[] of the configuration
---@param values table by their names in camelCase
---@param given {action: string?}
---@return string
function page.html(fields, values, given)
  local inputs, plain = {}, {}
  for i, field in ipairs(fields) do
    inputs[i] = input(field, values[field.camel])
    plain[i] = { camel = field.camel, type = field.type, label = field.label, most = field.most,
      unit = field.unit }
  end
  return table.concat({
    '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n',
    '<meta name="viewport" content="width=device-width">\n',
    "<title>Coding agent</title>\n<style>\n", STYLE, "</style>\n<h1>Coding agent</h1>\n<form>\n",
    table.concat(inputs, "\n"),
    '\n<p role="alert"></p>\n<div><button>Save</button></div>\n</form>\n<output></output>\n',
    "<script>\nconst fields = ", in_script(json.list(plain)), ";\nconst action = ",
    in_script(given.action or json.null), ";\n", SCRIPT, "</script>\n</html>\n",
  })
end

return page
