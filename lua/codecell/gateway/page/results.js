// What code shows: each result in the best of its forms, the others beside it.

const TEXT_MOST = 200000; // characters of one form

function drawPicture(kind) {
  return (value) => {
    if (typeof value !== "string") return null;
    const source = kind === "image/svg+xml" ? toBase64(new TextEncoder().encode(value))
      : value.replace(/\s/g, "");
    return element("img", { class: "picture", alt: "Picture that the code made",
      src: `data:${kind};base64,${source}` });
  };
}

function drawText(value) {
  if (typeof value !== "string") return null;
  return element("pre", { class: "printed", tabindex: "0", "aria-label": "value" },
    ...coloured(cut(value, TEXT_MOST))[0]);
}

function drawJson(value) {
  return element("pre", { class: "printed", tabindex: "0", "aria-label": "JSON" },
    cut(JSON.stringify(value, null, 2), TEXT_MOST));
}

function drawPdf(value) {
  return element("p", {}, button("Save the PDF", () => saveAs("result.pdf", fromBase64(value))));
}

function only(kind, draw) {
  return (value) => typeof value === kind ? draw(value) : null;
}

// In the order in which a person wants to see them.
const FORMS = [
  ["chart", "chart", (chart) => drawChart(chart)],
  ["table", "data", (data, result) => drawTable(data, headingsOf(result.html))],
  ["picture", "svg", drawPicture("image/svg+xml")],
  ["picture", "png", drawPicture("image/png")],
  ["picture", "jpeg", drawPicture("image/jpeg")],
  ["markdown", "markdown", only("string", drawMarkdown)],
  ["formula", "latex", drawText],
  ["html", "html", drawHtml],
  ["pdf", "pdf", only("string", drawPdf)],
  ["text", "text", drawText],
  ["json", "json", drawJson],
  ["javascript", "javascript", drawText],
];

// A form that cannot be drawn must not take the others with it.
function drawn(draw, value, result) {
  try {
    return draw(value, result);
  } catch {
    return null;
  }
}

function formsOf(result) {
  const forms = FORMS.filter(([, name]) => result[name] !== undefined && result[name] !== null)
    .map(([label, name, draw]) => ({ label, name, draw: () => drawn(draw, result[name], result) }));
  for (const [kind, value] of Object.entries(result.extra ?? {}).slice(0, 8)) {
    forms.push({ label: cut(kind, 40), name: kind, draw: () => typeof value === "string"
      ? drawText(value) : drawJson(value) });
  }
  return forms;
}

/** A result of an execution. */
function drawResult(result) {
  const made = element("div", { class: result.is_main_result ? "result main" : "result" });
  const shown = element("div", { class: "form" });
  const choices = element("div", { class: "forms", role: "group", "aria-label": "Show as" });
  const usable = formsOf(result);

  function choose(form, node) {
    shown.replaceChildren(node);
    for (const choice of choices.children) {
      choice.setAttribute("aria-pressed", String(choice.dataset.name === form.name));
    }
  }

  for (const form of usable) {
    choices.append(button(form.label, () => {
      const node = form.draw();
      if (node) choose(form, node);
      else notify(`This ${form.label} cannot be drawn`);
    }, { "data-name": form.name, "aria-pressed": "false" }));
  }
  for (const form of usable) {
    const node = form.draw();
    if (node) {
      choose(form, node);
      break;
    }
  }
  made.append(shown);
  if (usable.length > 1) made.append(choices);
  return made;
}
