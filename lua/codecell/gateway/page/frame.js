// Results in HTML: what is known to be harmless of them, in a frame that is locked all the same.
//
// The frame has no scripts, no origin and no connections. That does not hold back what a browser
// does on the mere sight of a name, as `<link rel="dns-prefetch">`: code without a network could
// tell the world something by whoever looks at it. So no address gets into the frame at all.

const HTML_MOST = 2000000; // characters
const NODES_MOST = 50000;
const ROW_HEIGHT = 27;
const FRAME_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
const HARMLESS = new Set(("a abbr b blockquote br caption center code col colgroup dd del details "
  + "div dl dt em figcaption figure font h1 h2 h3 h4 h5 h6 hr i img input ins kbd label legend li "
  + "mark ol p pre q s samp section small span strong style sub summary sup table tbody td tfoot "
  + "th thead time tr tt u ul var").split(" "));
const SAID = new Set(("align alt border cellpadding cellspacing checked class color colspan dir "
  + "for height hidden id lang open rowspan scope span start style title valign width").split(" "));

// The one place where text becomes markup; the browser holds everything else back.
const locked = window.trustedTypes?.createPolicy("locked-frame", { createHTML: (text) => text })
  ?? { createHTML: (text) => text };

function copyAttributes(from, to) {
  for (const { name, value } of from.attributes) {
    if (SAID.has(name)) to.setAttribute(name, value);
  }
  const source = from.getAttribute("src") ?? "";
  if (to.localName === "img" && /^data:image\/(png|jpeg|gif|webp|svg\+xml)[;,]/.test(source)) {
    to.setAttribute("src", source);
  }
}

function copyNode(from, into, counted) {
  counted.nodes += 1;
  if (counted.nodes > NODES_MOST) return;
  if (from.nodeType === Node.TEXT_NODE) {
    into.append(from.data);
    return;
  }
  const isElement = from instanceof HTMLElement; // none of drawings or formulas
  const isInput = isElement && from.localName === "input";
  if (!isElement || !HARMLESS.has(from.localName) || (isInput && from.type !== "checkbox")) return;
  const made = into.ownerDocument.createElement(from.localName);
  copyAttributes(from, made);
  if (isInput) made.setAttribute("type", "checkbox");
  if (from.localName === "style") {
    if (from.textContent.includes("<")) return;
    made.textContent = from.textContent;
  } else for (const child of from.childNodes) copyNode(child, made, counted);
  into.append(made);
}

/** What is harmless of a text in HTML. */
function harmless(text) {
  const given = new DOMParser().parseFromString(locked.createHTML(text), "text/html");
  const made = document.implementation.createHTMLDocument("");
  const counted = { nodes: 0 };
  for (const part of [given.head, given.body]) {
    for (const child of part.childNodes) copyNode(child, made.body, counted);
  }
  return made.body.innerHTML;
}

function isDark() {
  const chosenLook = document.documentElement.dataset.theme;
  return chosenLook ? chosenLook === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function frameLook() {
  const [ink, line, scheme] = isDark() ? ["#e3e6ea", "#39414a", "dark"]
    : ["#1d2126", "#d8dce0", "light"];
  return `:root{color-scheme:${scheme}}body{margin:6px;color:${ink};font:13px/1.45 system-ui,`
    + `sans-serif}table{border-collapse:collapse}td,th{padding:2px 8px;border:0;`
    + `border-bottom:1px solid ${line};text-align:right}pre,code{font:12px/1.45 ui-monospace,`
    + "monospace}";
}

/** The headings of the columns of a table in HTML. */
function headingsOf(text) {
  if (typeof text !== "string" || text.length > HTML_MOST) return [];
  const given = new DOMParser().parseFromString(locked.createHTML(text), "text/html");
  return [...given.querySelectorAll("thead tr:first-child th")].map((one) => one.textContent);
}

/** A result in HTML; null where it is too long. */
function drawHtml(text) {
  if (typeof text !== "string" || text.length > HTML_MOST) return null;
  const clean = harmless(text);
  const shown = element("iframe", { sandbox: "", title: "Result in HTML, without scripts",
    referrerpolicy: "no-referrer" });
  const rows = (clean.match(/<(tr|p|li|h[1-6]|br|div)\b/g) ?? []).length;
  shown.style.height = `${Math.min(Math.max((rows + 1) * ROW_HEIGHT, 64), 420)}px`;
  shown.srcdoc = locked.createHTML(`<!doctype html><meta charset="utf-8"><meta http-equiv="Content-`
    + `Security-Policy" content="${FRAME_POLICY}"><style>${frameLook()}</style>${clean}`);
  return element("div", { class: "framed" }, shown);
}
