// What programs say of colours, in the sequences that terminals understand.

const PLAIN = Object.freeze({ front: null, back: null, bold: false, dim: false, italic: false,
  underlined: false, inverse: false });
const STEPS = [0, 95, 135, 175, 215, 255];

// One of 256 colours: sixteen have names in the style, the others are mixed.
function numbered(number) {
  if (number < 16) return number;
  if (number >= 232) {
    const grey = 8 + (number - 232) * 10;
    return `rgb(${grey},${grey},${grey})`;
  }
  const cube = number - 16;
  return `rgb(${STEPS[Math.floor(cube / 36) % 6]},${STEPS[Math.floor(cube / 6) % 6]},${
    STEPS[cube % 6]})`;
}

function colourAt(words, at) {
  if (words[at + 1] === 5) return [numbered((words[at + 2] ?? 0) & 255), at + 2];
  if (words[at + 1] === 2) {
    const part = (i) => (words[at + i] ?? 0) & 255;
    return [`rgb(${part(2)},${part(3)},${part(4)})`, at + 4];
  }
  return [null, at];
}

/** The look after "ESC [ … m". */
function changeLook(look, words) {
  const next = { ...look };
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i];
    if (word === 0) Object.assign(next, PLAIN);
    else if (word === 1) next.bold = true;
    else if (word === 2) next.dim = true;
    else if (word === 3) next.italic = true;
    else if (word === 4) next.underlined = true;
    else if (word === 7) next.inverse = true;
    else if (word === 22) next.bold = next.dim = false;
    else if (word === 23) next.italic = false;
    else if (word === 24) next.underlined = false;
    else if (word === 27) next.inverse = false;
    else if (word >= 30 && word <= 37) next.front = word - 30;
    else if (word >= 40 && word <= 47) next.back = word - 40;
    else if (word >= 90 && word <= 97) next.front = word - 82;
    else if (word >= 100 && word <= 107) next.back = word - 92;
    else if (word === 39) next.front = null;
    else if (word === 49) next.back = null;
    else if (word === 38) [next.front, i] = colourAt(words, i);
    else if (word === 48) [next.back, i] = colourAt(words, i);
  }
  return next;
}

function isPlain(look) {
  return Object.keys(PLAIN).every((name) => look[name] === PLAIN[name]);
}

/** A text that looks so. */
function looking(text, look) {
  if (isPlain(look)) return document.createTextNode(text);
  const made = element("span", {}, text);
  const names = ["bold", "dim", "italic", "underlined", "inverse"].filter((name) => look[name]);
  const ways = look.inverse ? ["back", "front"] : ["front", "back"];
  for (const [way, colour] of [[ways[0], look.front], [ways[1], look.back]]) {
    if (typeof colour === "number") names.push(`${way}${colour}`);
    else if (colour && way === "front") made.style.color = colour;
    else if (colour) made.style.backgroundColor = colour;
  }
  made.className = names.join(" ");
  return made;
}

// Sequences of colours are kept apart by the brackets; every other one is dropped.
const SEQUENCES = /\x1b(?:\[([\d;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_]?)/g;

/** Nodes for a text with sequences, and the look after it. */
function coloured(text, look = PLAIN) {
  if (!text.includes("\x1b")) return [[looking(text, look)], look];
  const nodes = [];
  let [last, now] = [0, look];
  for (const match of text.matchAll(SEQUENCES)) {
    if (match.index > last) nodes.push(looking(text.slice(last, match.index), now));
    if (match[1] !== undefined) now = changeLook(now, match[1].split(/[;:]/).map(Number));
    last = match.index + match[0].length;
  }
  if (last < text.length) nodes.push(looking(text.slice(last), now));
  return [nodes, now];
}
