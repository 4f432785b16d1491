// The axes of charts: where a value lies, and what is written beside it.

const TICKS = 6;

function niceStep(span) {
  const rough = span / TICKS;
  const power = 10 ** Math.floor(Math.log10(rough));
  const factor = [1, 2, 5, 10].find((one) => rough <= one * power * 1.0001) ?? 10;
  return factor * power;
}

function niceTicks(low, high) {
  const step = niceStep(high - low);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.min(Math.floor(high / step + 1e-9) - first + 1, 3 * TICKS);
  return Array.from({ length: Math.max(count, 0) }, (_, i) => (first + i) * step);
}

/** A number as short as it may be said. */
function numberText(value) {
  if (typeof value !== "number") return cut(value, 40);
  const size = Math.abs(value);
  if (size !== 0 && (size >= 1e6 || size < 1e-3)) {
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  return String(Number(value.toPrecision(6)));
}

const DAY = 86400000;
const TIME_STEPS = [1, 5, 15, 60, 300, 900, 3600, 10800, 21600, 43200].map((s) => s * 1000)
  .concat([1, 2, 7, 14, 30, 91, 182, 365, 730, 1826, 3652].map((days) => days * DAY));

function timeTicks(low, high) {
  const step = TIME_STEPS.find((one) => (high - low) / one <= TICKS)
    ?? Math.ceil((high - low) / TICKS / DAY) * DAY;
  const first = Math.ceil(low / step) * step;
  return Array.from({ length: Math.min(Math.floor((high - first) / step) + 1, 20) },
    (_, i) => first + i * step);
}

function momentText(value, span) {
  const date = new Date(value);
  if (Number.isNaN(date.getTime())) return "";
  const text = date.toISOString();
  if (span > 2 * DAY) return text.slice(0, 10);
  return span > DAY / 2 ? text.slice(5, 16).replace("T", " ") : text.slice(11, 19);
}

// An axis of names: each has a place of its own, in the order in which they come.
function namedAxis(values) {
  const names = [...new Set(values.map(String))];
  const places = new Map(names.map((name, i) => [name, i]));
  return { kind: "named", low: -0.5, high: names.length - 0.5, place: (value) =>
    places.get(String(value)), ticks: names.map((name, i) => [i, cut(name, 24)]),
  text: (value) => cut(value, 60) };
}

function span(numbers) {
  let [low, high] = [Infinity, -Infinity];
  for (const one of numbers) {
    low = Math.min(low, one);
    high = Math.max(high, one);
  }
  return [low, high];
}

function logAxis(numbers) {
  const [low, high] = span(numbers.filter((one) => one > 0).map(Math.log10));
  if (!(high >= low)) return null;
  const [first, last] = [Math.floor(low), Math.max(Math.ceil(high), Math.floor(low) + 1)];
  const every = Math.ceil((last - first) / TICKS);
  const ticks = [];
  for (let power = first; power <= last && ticks.length < 30; power += every) {
    ticks.push([power, numberText(10 ** power)]);
  }
  return { kind: "log", low: first, high: last, place: (value) =>
    value > 0 ? Math.log10(value) : NaN, ticks, text: numberText };
}

function timeAxis(values) {
  const [low, high] = span(values.map((value) => Date.parse(value)));
  const wide = high - low || DAY;
  return { kind: "time", low, high: low + wide, place: (value) => Date.parse(value),
    ticks: timeTicks(low, low + wide).map((tick) => [tick, momentText(tick, wide)]),
    text: (value) => cut(value, 40) };
}

/** The axis for these values: numbers, dates or names. `given` may say "log", or start at zero. */
function axisFor(values, given = {}) {
  const known = values.filter((value) => value !== null && value !== undefined);
  const numbers = known.filter((value) => Number.isFinite(value));
  if (known.length > 0 && numbers.length < known.length / 2) {
    return known.every((value) => typeof value === "string" && /^\d{4}-\d\d/.test(value)
      && Number.isFinite(Date.parse(value))) ? timeAxis(known) : namedAxis(known);
  }
  const log = given.scale === "log" ? logAxis(numbers) : null;
  if (log) return log;
  let [low, high] = numbers.length > 0 ? span(numbers) : [0, 1];
  if (given.zero) [low, high] = [Math.min(low, 0), Math.max(high, 0)];
  const room = high > low ? (high - low) * 0.04 : Math.abs(high) * 0.1 || 1;
  if (!given.zero || low < 0) low -= room;
  if (!given.zero || high > 0) high += room;
  return { kind: "number", low, high, place: (value) => Number.isFinite(value) ? value : NaN,
    ticks: niceTicks(low, high).map((tick) => [tick, numberText(tick)]), text: numberText };
}

/** A function from values of an axis to places on the page. */
function scaled(axis, from, to) {
  return (value) => {
    const place = axis.place(value);
    return from + ((place - axis.low) / (axis.high - axis.low)) * (to - from);
  };
}

/** A frame with both axes; gives where values lie in it. */
function frame(box, across, up, labels) {
  const left = 14 + Math.min(Math.max(...up.ticks.map(([, text]) => text.length), 1) * 6.4, 120)
    + (labels.up ? 16 : 0);
  const bottom = box.height - (labels.across ? 40 : 24);
  const [right, top] = [box.width - 12, 10];
  const part = shape("g");
  const tickPlace = (axis, tick, from, to) => from + ((tick - axis.low) / (axis.high - axis.low))
    * (to - from);
  for (const [tick, text] of up.ticks) {
    const y = tickPlace(up, tick, bottom, top);
    if (up.kind !== "named") {
      part.append(shape("line", { x1: left, x2: right, y1: y, y2: y, class: "grid" }));
    }
    part.append(shape("text", { x: left - 6, y: y + 3.5, "text-anchor": "end" }, text));
  }
  const longest = Math.max(...across.ticks.map(([, text]) => text.length), 1);
  const every = Math.ceil(across.ticks.length / Math.max((right - left) / (longest * 6.4 + 10), 1));
  across.ticks.forEach(([tick, text], i) => {
    const x = tickPlace(across, tick, left, right);
    if (i % every !== 0 || x > right + 1) return;
    part.append(shape("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4, class: "axis" }),
      shape("text", { x, y: bottom + 16, "text-anchor": "middle" }, text));
  });
  part.append(shape("path", { d: `M${left} ${top}V${bottom}H${right}`, class: "axis" }));
  if (labels.across) {
    part.append(shape("text", { x: (left + right) / 2, y: box.height - 6, "text-anchor": "middle",
      class: "label" }, cut(labels.across, 80)));
  }
  if (labels.up) {
    part.append(shape("text", { x: 12, y: (top + bottom) / 2, "text-anchor": "middle",
      transform: `rotate(-90 12 ${(top + bottom) / 2})`, class: "label" }, cut(labels.up, 60)));
  }
  return { part, left, right, top, bottom, x: scaled(across, left, right),
    y: scaled(up, bottom, top), across, up };
}
