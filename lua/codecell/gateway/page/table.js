// Tables: data by columns, as a data frame tells it.

const ROWS_SHOWN = 200;
const COLUMNS_SHOWN = 60;
const CELL_MOST = 300; // characters

// The columns and rows of what may be anything. Data by columns have no order of them, but what
// the same table is in HTML has: `headings`.
function tableOf(data, headings) {
  if (data === null || typeof data !== "object" || Array.isArray(data)) return null;
  const names = Object.keys(data).filter((name) => Array.isArray(data[name]));
  if (names.length === 0) return null;
  const place = (name) => headings.includes(name) ? headings.indexOf(name) : headings.length;
  names.sort((left, right) => place(left) - place(right));
  const count = Math.max(...names.map((name) => data[name].length));
  return { names, count, value: (row, name) => data[name][row] };
}

function cellText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value === "object") return cut(JSON.stringify(value), CELL_MOST);
  const moment = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d(?:\.\d+)?)$/.exec(value);
  if (moment) return moment[2] === "00:00:00" ? moment[1] : `${moment[1]} ${moment[2]}`;
  return cut(value, CELL_MOST);
}

function compare(left, right) {
  if (typeof left === "number" && typeof right === "number") return left - right;
  return cellText(left).localeCompare(cellText(right), undefined, { numeric: true });
}

// What a spreadsheet would take for a formula stays a text there.
function commaSeparated(table) {
  const quoted = (value) => {
    const text = value === null || value === undefined ? ""
      : typeof value === "object" ? JSON.stringify(value) : String(value);
    const safe = typeof value === "string" && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const lines = [table.names.map(quoted).join(",")];
  for (let row = 0; row < table.count; row += 1) {
    lines.push(table.names.map((name) => quoted(table.value(row, name))).join(","));
  }
  return `${lines.join("\r\n")}\r\n`;
}

/** A table to look at and to sort; null where the data is none. */
function drawTable(data, headings = []) {
  const table = tableOf(data, headings);
  if (!table) return null;
  const names = table.names.slice(0, COLUMNS_SHOWN);
  const order = Array.from({ length: table.count }, (_, row) => row);
  const body = element("tbody");
  const numeric = new Set(names.filter((name) => typeof table.value(0, name) === "number"));

  function fill() {
    body.replaceChildren(...order.slice(0, ROWS_SHOWN).map((row) => element("tr", {},
      element("th", { scope: "row" }, String(row)),
      ...names.map((name) => element("td", { class: numeric.has(name) ? "number" : null },
        cellText(table.value(row, name)))))));
  }

  function heading(name) {
    const made = element("th", { scope: "col", "aria-sort": "none" });
    made.append(button(cut(name, 80) || " ", () => {
      const way = made.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of made.parentNode.children) other.setAttribute("aria-sort", "none");
      made.setAttribute("aria-sort", way > 0 ? "ascending" : "descending");
      order.sort((left, right) => way * compare(table.value(left, name), table.value(right, name)));
      fill();
    }));
    return made;
  }

  fill();
  const hidden = [table.count > ROWS_SHOWN ? `the first ${ROWS_SHOWN} rows are shown` : null,
    table.names.length > COLUMNS_SHOWN ? `the first ${COLUMNS_SHOWN} columns are shown` : null];
  const about = [`${table.count} rows × ${table.names.length} columns`, ...hidden.filter(Boolean)];
  return element("div", { class: "table" },
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Table" },
      element("table", {}, element("thead", {}, element("tr", {}, element("td"),
        ...names.map(heading))), body)),
    element("p", { class: "row about" }, element("span", {}, about.join(", ")),
      button("Save as CSV", () => saveAs("table.csv", commaSeparated(table)), { class: "quiet" })));
}
