// Markdown as nodes: the common part of it. Links are shown with where they lead and lead nowhere.

const MARKDOWN_MOST = 100000; // characters; longer ones stay plain
const LINE_MOST_READ = 2000; // of a line that may begin something
// Each part has a bound, so that a text that was made to be searched for long is not.
const INLINE = new RegExp(["(`{1,3})(.{1,200}?)\\1", "\\*\\*(.{1,200}?)\\*\\*",
  "__(.{1,200}?)__", "~~(.{1,200}?)~~", "\\*([^*\\s][^*]{0,200})\\*",
  "\\b_([^_\\s][^_]{0,200})_\\b", "!?\\[([^\\]]{0,200})\\]\\(([^)\\s]{0,400})[^)]{0,200}\\)"]
  .join("|"));

function inline(text, depth = 0) {
  const nodes = [];
  let rest = text;
  while (rest) {
    const match = depth < 6 ? INLINE.exec(rest) : null;
    if (!match) {
      nodes.push(rest);
      break;
    }
    if (match.index > 0) nodes.push(rest.slice(0, match.index));
    const [whole, , code, strong, strong2, gone, slanted, slanted2, label, target] = match;
    const within = (name, words) => element(name, {}, ...inline(words, depth + 1));
    if (code !== undefined) nodes.push(element("code", {}, code));
    else if (strong ?? strong2) nodes.push(within("strong", strong ?? strong2));
    else if (gone) nodes.push(within("s", gone));
    else if (slanted ?? slanted2) nodes.push(within("em", slanted ?? slanted2));
    else {
      nodes.push(element("span", { class: "target" }, ...inline(label || target, depth + 1),
        label && target ? element("small", {}, ` (${cut(target, 200)})`) : ""));
    }
    rest = rest.slice(match.index + whole.length);
  }
  return nodes;
}

const HEADING = /^(#{1,6})\s+(.*)$/;
const RULE = /^ {0,3}([-*_])( *\1){2,} *$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const DIVIDER = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;

function rowOf(line) {
  return line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
}

// Each takes lines from the first on, gives a node, and shifts away what it took.
const blocks = [
  function fenced(lines) {
    const match = /^ {0,3}(```+|~~~+)/.exec(lines[0]);
    if (!match) return null;
    lines.shift();
    const taken = [];
    while (lines.length > 0 && !lines[0].trim().startsWith(match[1])) taken.push(lines.shift());
    lines.shift();
    return element("pre", {}, element("code", {}, taken.join("\n")));
  },
  function heading(lines) {
    const match = HEADING.exec(lines[0]);
    if (!match) return null;
    lines.shift();
    return element(`h${Math.min(match[1].length + 2, 6)}`, {}, ...inline(match[2]));
  },
  function rule(lines) {
    return RULE.test(lines[0]) ? (lines.shift(), element("hr")) : null;
  },
  function quote(lines) {
    const taken = [];
    while (lines.length > 0 && /^ {0,3}>/.test(lines[0])) taken.push(lines.shift());
    return taken.length === 0 ? null : element("blockquote", {},
      ...inline(taken.map((line) => line.replace(/^ {0,3}> ?/, "")).join(" ")));
  },
  function table(lines) {
    const divider = lines[1] ?? "";
    if (!lines[0].includes("|") || divider.length > LINE_MOST_READ || !DIVIDER.test(divider)) {
      return null;
    }
    const head = rowOf(lines.shift());
    lines.shift();
    const rows = [];
    while (lines.length > 0 && lines[0].includes("|")) rows.push(rowOf(lines.shift()));
    const row = (name, cells) => element("tr", {}, ...cells.map((cell) => element(name, {},
      ...inline(cell))));
    return element("table", {}, element("thead", {}, row("th", head)),
      element("tbody", {}, ...rows.map((cells) => row("td", cells))));
  },
  function list(lines) {
    const first = ITEM.exec(lines[0]);
    if (!first) return null;
    const made = element(/\d/.test(first[2]) ? "ol" : "ul");
    const above = [[first[1].length, made]];
    let match = first;
    while (match) {
      const depth = match[1].length;
      while (above.length > 1 && depth < above.at(-1)[0]) above.pop();
      if (depth > above.at(-1)[0] + 1 && above.length < 8 && above.at(-1)[1].lastChild) {
        const below = element(/\d/.test(match[2]) ? "ol" : "ul");
        above.at(-1)[1].lastChild.append(below);
        above.push([depth, below]);
      }
      above.at(-1)[1].append(element("li", {}, ...inline(match[3])));
      lines.shift();
      match = ITEM.exec(lines[0] ?? "");
    }
    return made;
  },
];

/** Nodes for a text in Markdown. */
function drawMarkdown(text) {
  if (text.length > MARKDOWN_MOST) return element("pre", {}, cut(text, MARKDOWN_MOST));
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  const made = element("div", { class: "markdown" });
  while (lines.length > 0) {
    if (lines[0].trim() === "") {
      lines.shift();
      continue;
    }
    const isShort = lines[0].length <= LINE_MOST_READ;
    const block = isShort ? blocks.reduce((found, read) => found ?? read(lines), null) : null;
    if (block) {
      made.append(block);
      continue;
    }
    const taken = [lines.shift()];
    while (lines.length > 0 && lines[0].trim() !== "" && !HEADING.test(lines[0])
      && !ITEM.test(lines[0]) && !/^ {0,3}(```|~~~|>)/.test(lines[0])) taken.push(lines.shift());
    made.append(element("p", {}, ...inline(taken.join("\n"))));
  }
  return made;
}
