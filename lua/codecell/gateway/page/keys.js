// What a terminal sends for the keys of a keyboard.

const KEYS = { Enter: "\r", Backspace: "\x7f", Tab: "\t", Escape: "\x1b", Delete: "\x1b[3~",
  Insert: "\x1b[2~", PageUp: "\x1b[5~", PageDown: "\x1b[6~", F1: "\x1bOP", F2: "\x1bOQ",
  F3: "\x1bOR", F4: "\x1bOS", F5: "\x1b[15~", F6: "\x1b[17~", F7: "\x1b[18~", F8: "\x1b[19~",
  F9: "\x1b[20~", F10: "\x1b[21~", F11: "\x1b[23~", F12: "\x1b[24~" };
const CURSOR = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H",
  End: "F" };

/** The text for a key; null: the browser has it. */
function keyText(event, isApplication) {
  const { key: name, ctrlKey, altKey, shiftKey, metaKey } = event;
  if (metaKey || (ctrlKey && shiftKey)) return null; // copy, paste, and what else browsers have
  if (Object.hasOwn(CURSOR, name)) {
    const modifier = 1 + (shiftKey ? 1 : 0) + (altKey ? 2 : 0) + (ctrlKey ? 4 : 0);
    if (modifier > 1) return `\x1b[1;${modifier}${CURSOR[name]}`;
    return `\x1b${isApplication ? "O" : "["}${CURSOR[name]}`;
  }
  if (name === "Tab" && shiftKey) return "\x1b[Z";
  if (Object.hasOwn(KEYS, name)) return (altKey ? "\x1b" : "") + KEYS[name];
  if (ctrlKey && !altKey && name.length === 1) {
    const code = name.toUpperCase().charCodeAt(0);
    if (name === " ") return "\0";
    if (code >= 64 && code <= 95) return String.fromCharCode(code - 64);
    return null;
  }
  if (altKey && !ctrlKey && name.length === 1) return `\x1b${name}`;
  return null; // plain characters come as input, composed ones too
}
