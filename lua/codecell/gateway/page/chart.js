// Charts, drawn from what a plot was made of.

const CHART_MOST = { width: 720, points: 4000, elements: 60, charts: 12, marks: 400 };

function list(value, most = CHART_MOST.points) {
  return Array.isArray(value) ? value.slice(0, most) : [];
}

function titled(node, text) {
  node.append(shape("title", {}, text));
  return node;
}

function legend(names) {
  return element("ul", { class: "legend" }, ...names.map((name, i) => element("li", {},
    element("i", { class: `fill${i % 8}` }), cut(name, 60))));
}

// ---- lines and points ----

// Of very many points so many are drawn as can be told apart.
function thinned(points, most) {
  if (points.length <= most) return points;
  const step = points.length / most;
  return Array.from({ length: most }, (_, i) => points[Math.floor(i * step)]);
}

function pointsOf(one) {
  return (Array.isArray(one?.points) ? one.points : []).filter(Array.isArray);
}

function drawPoints(chart, box) {
  const series = list(chart.elements, CHART_MOST.elements).map((one) => ({
    name: String(one?.label ?? ""),
    points: chart.type === "line" ? thinned(pointsOf(one), CHART_MOST.points)
      : pointsOf(one).slice(0, CHART_MOST.points),
  }));
  const all = series.flatMap((one) => one.points);
  const made = frame(box, axisFor(all.map((point) => point[0]), { scale: chart.x_scale }),
    axisFor(all.map((point) => point[1]), { scale: chart.y_scale }),
    { across: chart.x_label, up: chart.y_label });
  const marks = shape("g");
  series.forEach((one, i) => {
    const places = one.points.map((point) => [made.x(point[0]), made.y(point[1]), point])
      .filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
    const isLine = chart.type === "line";
    if (isLine && places.length > 1) {
      marks.append(shape("path", { class: `line stroke${i % 8}`,
        d: `M${places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}` }));
    }
    const seen = isLine && places.length > CHART_MOST.marks ? [] : places;
    const isFew = places.length <= 40;
    for (const [x, y, point] of seen) {
      marks.append(titled(shape("circle", { cx: x.toFixed(1), cy: y.toFixed(1),
        r: isLine && !isFew ? 5 : 3, class: `${isLine && !isFew ? "hover" : ""} fill${i % 8}` }),
      `${one.name ? `${cut(one.name, 60)}: ` : ""}${made.across.text(point[0])}, ${
        made.up.text(point[1])}`));
    }
  });
  made.part.append(marks);
  return { part: made.part, names: series.map((one) => one.name) };
}

// ---- bars and boxes ----

function drawBars(chart, box) {
  const bars = list(chart.elements).filter((one) => one && typeof one === "object");
  const groups = [...new Set(bars.map((one) => String(one.group ?? "")))];
  const made = frame(box, namedAxis(bars.map((one) => one.label ?? "")),
    axisFor(bars.map((one) => one.value), { zero: true }),
    { across: chart.x_label, up: chart.y_label });
  const room = (made.right - made.left) / (made.across.high - made.across.low);
  const wide = Math.min((room * 0.76) / groups.length, 80);
  const zero = made.y(0);
  for (const one of bars) {
    const group = groups.indexOf(String(one.group ?? ""));
    const y = made.y(one.value);
    if (!Number.isFinite(y)) continue;
    const x = made.x(one.label ?? "") + (group - groups.length / 2) * wide;
    made.part.append(titled(shape("rect", { x: x.toFixed(1), y: Math.min(y, zero).toFixed(1),
      width: Math.max(wide - 1, 1).toFixed(1), height: Math.max(Math.abs(zero - y), 0.5).toFixed(1),
      rx: 1.5, class: `fill${group % 8}` }),
    `${cut(one.label, 60)}: ${numberText(one.value)}`));
  }
  return { part: made.part, names: groups };
}

function drawBoxes(chart, box) {
  const boxes = list(chart.elements).filter((one) => one && typeof one === "object");
  const ends = ["min", "first_quartile", "median", "third_quartile", "max"];
  const values = boxes.flatMap((one) => [...ends.map((end) => one[end]), ...list(one.outliers)]);
  const made = frame(box, namedAxis(boxes.map((one) => one.label ?? "")), axisFor(values),
    { across: chart.x_label, up: chart.y_label });
  const room = (made.right - made.left) / (made.across.high - made.across.low);
  const half = Math.min(room * 0.3, 40);
  for (const one of boxes) {
    const x = made.x(one.label ?? "");
    const [low, first, middle, third, high] = ends.map((end) => made.y(one[end]));
    if (![low, first, middle, third, high].every(Number.isFinite)) continue;
    const told = ends.map((end) => `${end.replace("_", " ")} ${numberText(one[end])}`);
    made.part.append(
      shape("path", { d: `M${x} ${low}V${first}M${x} ${third}V${high}M${x - half / 2} ${low}h${
        half}M${x - half / 2} ${high}h${half}`, class: "axis" }),
      titled(shape("rect", { x: x - half, y: Math.min(first, third), width: 2 * half,
        height: Math.abs(first - third), class: "box" }),
      `${cut(one.label, 60)}: ${told.join(", ")}`),
      shape("path", { d: `M${x - half} ${middle}h${2 * half}`, class: "line stroke1" }));
    for (const value of list(one.outliers, 200)) {
      const y = made.y(value);
      if (Number.isFinite(y)) {
        made.part.append(titled(shape("circle", { cx: x, cy: y, r: 2.5, class: "outlier" }),
          numberText(value)));
      }
    }
  }
  return { part: made.part, names: [] };
}

// ---- pies ----

function drawPie(chart, box) {
  const pieces = list(chart.elements, CHART_MOST.elements).filter((one) => one?.angle > 0);
  const whole = pieces.reduce((sum, one) => sum + one.angle, 0) || 1;
  const radius = Math.min(box.width, box.height) / 2 - 12;
  const part = shape("g", { transform: `translate(${box.width / 2} ${box.height / 2})` });
  let at = 0;
  pieces.forEach((one, i) => {
    const share = one.angle / whole;
    const point = (turn) => `${(radius * Math.sin(2 * Math.PI * turn)).toFixed(2)} ${
      (-radius * Math.cos(2 * Math.PI * turn)).toFixed(2)}`;
    const look = { class: `piece fill${i % 8}` };
    const drawn = share > 0.9999 ? shape("circle", { r: radius, ...look })
      : shape("path", { d: `M0 0L${point(at)}A${radius} ${radius} 0 ${share > 0.5 ? 1 : 0} 1 ${
        point(at + share)}Z`, ...look });
    part.append(titled(drawn, `${cut(one.label, 60)}: ${(share * 100).toFixed(1)} %`));
    at += share;
  });
  return { part, names: pieces.map((one) => `${one.label ?? ""} ${
    ((one.angle / whole) * 100).toFixed(1)} %`) };
}

// ---- all of them ----

const DRAWERS = { line: drawPoints, scatter: drawPoints, bar: drawBars,
  box_and_whisker: drawBoxes, pie: drawPie };

function drawOne(chart) {
  const draw = DRAWERS[chart.type];
  const title = chart.title ? cut(chart.title, 120) : "";
  const drawing = shape("svg", { role: "img", "aria-label": `${chart.type} chart ${title}` });
  const made = element("figure", { class: "chart" });
  const key = element("div");
  if (title) made.append(element("figcaption", {}, title));
  made.append(drawing, key);
  let last = 0;
  const redraw = (width) => {
    const wide = Math.max(Math.min(width, CHART_MOST.width), 220);
    if (Math.abs(wide - last) < 4) return;
    last = wide;
    const box = { width: wide, height: Math.round(Math.min(Math.max(wide * 0.5, 190), 330)) };
    const drawn = draw(chart, box);
    drawing.setAttribute("viewBox", `0 0 ${box.width} ${box.height}`);
    drawing.setAttribute("width", box.width);
    drawing.setAttribute("height", box.height);
    drawing.replaceChildren(drawn.part);
    const names = drawn.names.filter((name) => name !== "");
    const isNamed = names.length > 1 || chart.type === "pie"
      || (names.length === 1 && !/^(Line|Group|_child) ?\d+$/.test(names[0]));
    key.replaceChildren(...(isNamed ? [legend(names)] : []));
  };
  redraw(CHART_MOST.width);
  new ResizeObserver((seen) => {
    if (seen[0].contentRect.width > 0) redraw(seen[0].contentRect.width);
  }).observe(made);
  return made;
}

function isDrawable(chart, depth = 0) {
  if (!chart || typeof chart !== "object") return false;
  if (chart.type === "superchart") {
    return depth < 3 && list(chart.elements, CHART_MOST.charts).some((one) =>
      isDrawable(one, depth + 1));
  }
  return Object.hasOwn(DRAWERS, chart.type) && list(chart.elements).length > 0;
}

/** A chart to look at; null where nothing is known to draw. */
function drawChart(chart, depth = 0) {
  if (!isDrawable(chart, depth)) return null;
  if (chart.type !== "superchart") return drawOne(chart);
  const parts = list(chart.elements, CHART_MOST.charts).map((one) => drawChart(one, depth + 1));
  return element("div", { class: "charts" },
    chart.title ? element("p", { class: "caption" }, cut(chart.title, 120)) : null,
    ...parts.filter(Boolean));
}
