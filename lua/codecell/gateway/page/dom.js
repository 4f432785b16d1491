// Making parts of the page. Whatever comes from a sandbox becomes text, never markup.

/** The part of the page of that id. */
function byId(id) {
  return document.getElementById(id);
}

/** An element: attributes by name (functions listen, `true` stands alone), then texts and nodes. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

const DRAWN = "http://www.w3.org/2000/svg";

/** The same for drawings. */
function shape(name, attributes = {}, ...children) {
  const made = document.createElementNS(DRAWN, name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value != null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** A button; what it does may fail, and says so. */
function button(label, action, attributes = {}) {
  return element("button", { type: "button", click: () => attempt(action), ...attributes }, label);
}

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "1.5 MiB". */
function bytesText(count) {
  let unit = 0;
  let value = Number(count) || 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** "1:02:03", "2:03". */
function clockText(seconds) {
  const all = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  const two = (number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** "0.21 s", "1:02". */
function durationText(milliseconds) {
  return milliseconds < 60000 ? `${(milliseconds / 1000).toFixed(milliseconds < 10000 ? 2 : 1)} s`
    : clockText(milliseconds / 1000);
}

/** "2026-11-21 14:02:59", where whoever looks is. */
function momentHere(milliseconds) {
  const date = new Date(milliseconds);
  const two = (number) => String(number).padStart(2, "0");
  return Number.isNaN(date.getTime()) ? "" : `${date.getFullYear()}-${two(date.getMonth() + 1)}-${
    two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}:${
    two(date.getSeconds())}`;
}

/** The first part of a text, so long that nothing takes for ever. */
function cut(text, most) {
  const whole = String(text ?? "");
  return whole.length > most ? `${whole.slice(0, most)}…` : whole;
}

/** Give bytes to the browser as a file that it does not show, whatever is in it. */
function saveAs(name, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  const link = element("a", { href: url, download: name.replace(/[\\/:*?"<>|\p{C}]/gu, "_") });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

/** The bytes of a text in base64. */
function fromBase64(text) {
  const binary = atob(text);
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

/** Base64 of bytes. */
function toBase64(bytes) {
  let binary = "";
  for (let i = 0; i < bytes.length; i += 8192) {
    binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
  }
  return btoa(binary);
}
