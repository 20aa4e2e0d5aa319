// The panel beside the figure: live values, details of a box, problems, the stage table.

/** An element; what stands in it as text is made visible, whoever wrote it. */
function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  const given = children.filter((c) => c !== null && c !== undefined);
  element.append(...given.map((c) => (typeof c === "string" ? visible(c) : c)));
  return element;
}

const byId = (id) => document.getElementById(id);
const grouped = (count) => (typeof count === "number" ? count.toLocaleString("en-US") : showDim(count));
/** A count, for several copies with that of each: 8 (4 x 2). */
function ofCopies(count, times) {
  const each = times > 1 && count ? ` (${times} x ${grouped(floorDivide(count, 0, times))})` : "";
  return grouped(count) + each;
}

const plural = (count, word) => `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;

/** A count with its order of magnitude: 12.25 G. */
function scaled(number) {
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (number >= size) return `${(number / size).toPrecision(4)} ${unit}`;
  }
  return grouped(number);
}

const share = (part, whole) => (part && whole && !isSymbolic(whole) ? ` (${((100 * part) / whole).toFixed(1)} %)` : "");

function citeText(cite) {
  if (!cite) return "";
  const parts = [cite.figure && `Figure ${cite.figure}`, cite.table && `Table ${cite.table}`, cite.section && `section ${cite.section}`, cite.code];
  return parts.filter(Boolean).join(", ");
}

/** A line of a spec: specs/inception_v4.yaml:25. */
const placeText = (program, at) => (at && at[1] ? `${program.files[at[0]] ?? ""}:${at[1]}` : "");

/** A number field with a slider; `change` is called with the text of a field that a user changed. */
function numberControl({ id, label, hint, least, most, step = 1, change, reset }) {
  const field = html("input", { id, type: "number", min: least, step: step === 1 ? 1 : "any", inputmode: "decimal", "aria-describedby": hint ? `${id}-hint` : null });
  const slider = html("input", { type: "range", min: least, max: most, step, tabindex: "-1", "aria-hidden": "true" });
  field.addEventListener("input", () => change(field.value));
  slider.addEventListener("input", () => change(slider.value));
  const back = html("button", { type: "button", class: "reset", "aria-label": `Reset ${label}`, hidden: true, onclick: reset }, "\u21ba");
  const row = html(
    "div", { class: "control" },
    html("label", { for: id }, label),
    slider, field, back,
    hint ? html("small", { id: `${id}-hint` }, hint) : null,
  );
  const update = ({ value, isChanged, isOff }) => {
    const text = value === null || value === undefined ? "" : String(isNumber(value) ? asFloat(value) : value);
    if (document.activeElement !== field || (field.value !== "" && Number(field.value) !== Number(text))) field.value = text;
    if (Number(text) > Number(slider.max)) slider.max = text;
    slider.value = text;
    field.disabled = slider.disabled = Boolean(isOff);
    back.hidden = !isChanged;
    row.classList.toggle("changed", isChanged);
  };
  return { row, update };
}

/** A field for words: a kernel, a padding, an activation, true or false. */
function wordControl({ id, label, hint, words, pattern, change, reset, show = showValue }) {
  const field = words
    ? html("select", { id }, ...words.map((word) => html("option", { value: word }, word)))
    : html("input", { id, type: "text", pattern });
  field.addEventListener(words ? "change" : "input", () => { if (field.checkValidity()) change(field.value); });
  const back = html("button", { type: "button", class: "reset", "aria-label": `Reset ${label}`, hidden: true, onclick: reset }, "\u21ba");
  const row = html("div", { class: "control word" }, html("label", { for: id }, label), field, back, hint ? html("small", {}, hint) : null);
  const update = ({ value, isChanged, isOff }) => {
    if (document.activeElement !== field) field.value = value === null ? "" : show(value);
    field.disabled = Boolean(isOff);
    back.hidden = !isChanged;
    row.classList.toggle("changed", isChanged);
  };
  return { row, update };
}

/** Pairs of a term and what it is, as a list for both eyes and ears. */
/** A path that breaks after its slashes, not within a name or a number. */
function pathFact(text) {
  const [first, ...rest] = text.split(/(?<=\/)/);
  return text && html("span", {}, first, ...rest.flatMap((part) => [html("wbr"), part]));
}

function facts(pairs) {
  return html("dl", {}, ...pairs.filter(([, value]) => value).map(([term, value]) => html("div", {}, html("dt", {}, term), html("dd", {}, value))));
}

function erratumNote(id, record) {
  const rows = [["Printed", record.printed], ["Built", record.built], ["Why", record.why]];
  return html("details", { class: "erratum" }, html("summary", {}, `Erratum ${id}: ${record.where}`), facts(rows));
}

function problemItem(program, finding, show) {
  return html(
    "li", {},
    html("p", { class: "message" }, finding.message),
    finding.help ? html("p", { class: "help" }, finding.help) : null,
    html("p", { class: "where" }, placeText(program, finding.at), " ",
      finding.node ? html("button", { type: "button", onclick: () => show(finding.node) }, "Show it") : null),
  );
}

function stageTable(rows, choose) {
  const head = html("tr", {}, ...["Stage", "Output", "Parameters", "MACs"].map((t) => html("th", { scope: "col" }, t)));
  const body = rows.map((row) => html(
    "tr", {},
    html("th", { scope: "row" }, html("button", { type: "button", onclick: () => choose(row.id) }, row.label)),
    ...[row.output, grouped(row.parameters)].map((t) => html("td", {}, t)),
    html("td", { title: grouped(row.macs) }, scaled(row.macs)),
  ));
  return html("table", {}, html("thead", {}, head), html("tbody", {}, ...body));
}
