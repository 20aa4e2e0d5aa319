// What stands beside the figure: totals, problems, details of a box, stages, changes.

/** What boxes are measured by: the title, and what an item comes to at some values. */
const MEASURES = {
  parameters: { title: "parameters", of: (values, item) => values.parameters(item.counts ?? []) },
  macs: { title: "MACs", of: (values, item) => values.macs(item.counts ?? []) },
  output: {
    title: "numbers in the output",
    of: (values, item) => values.shape(item.out)?.reduce(
      (product, size) => (product === null || size === null ? null : product * size), 1) ?? null,
  },
};

const COUNTED = ["parameters", "macs"];

const facts = (pairs) => html("dl", {}, ...pairs.filter(([, value]) => value).map(
  ([term, value]) => html("div", {}, html("dt", {}, term), html("dd", {}, value))));

const part = (count, whole) => (count && whole ? ` (${((100 * count) / whole).toFixed(1)} %)` : "");

const notesOf = (app, item) => [
  ...(item.docs ?? []).map((words) => html("p", { class: "doc" }, words)),
  ...(item.errata ?? []).map((id) => {
    const { where, printed, built, why } = app.program.errata[id];
    const rows = facts([["Printed", printed], ["Built", built], ["Why", why]]);
    const summary = html("summary", {}, `Erratum ${id}: ${where}`);
    return html("details", { class: "erratum" }, summary, rows);
  }),
];

class Panel {
  constructor(app) {
    this.app = app;
  }

  showAll() {
    this.showTotals();
    this.showProblems();
    this.showDetails(this.app.selected);
    this.showStages();
    this.showChanges();
  }

  /** The text of a size; before anything is changed an open one is a formula, as it came. */
  size(node) {
    const { values, program, changes } = this.app;
    const shape = values.shape(node);
    return (!changes.size && program.open[node]) || (shape ? sizeText(shape) : "?");
  }

  showTotals() {
    const { values, before, program, isBroken } = this.app;
    for (const what of COUNTED) {
      const [now, then] = [values[what]([""]), before[what]([""])];
      const text = what === "macs" ? scaled(now) : grouped(now);
      byId(what).textContent = isBroken || now === null ? "\u2014" : text;
      byId(what).title = grouped(now);
      byId(`${what}-change`).textContent = isBroken ? "" : difference(now, then);
    }
    byId("in-size").textContent = program.inputs.map((n) => this.size(n)).join(", ");
    byId("out-size").textContent = program.outputs.map((n) => this.size(n)).join(", ");
    document.body.classList.toggle("broken", isBroken);
  }

  showProblems() {
    const { problems, values: { beyond } } = this.app;
    byId("problems").hidden = !this.app.isBroken;
    const many = problems.length > 1 ? `: ${problems.length} errors` : "";
    const title = beyond ? "The page cannot follow this" : `It does not fit${many}`;
    const rows = beyond ? [{ message: beyond }] : problems;
    const list = html("ul", {}, ...rows.map((row) => this.problem(row)));
    byId("problems").replaceChildren(html("h2", {}, title), list);
  }

  problem({ message, help, at, node }) {
    const { app } = this;
    const place = app.program.items[app.itemWith(node)?.id]?.at;
    const show = { type: "button", onclick: () => app.goTo(node) };
    const where = at || (place ? app.place(place) : "");
    return html("li", {},
      html("p", { class: "message" }, message),
      help ? html("p", { class: "help" }, help) : null,
      html("p", { class: "where" }, where && app.live ? app.live.place(where) : where, " ",
        node ? html("button", show, "Show it") : null));
  }

  showDetails(id) {
    const { app } = this;
    const item = app.program.items[id];
    this.detailed = id;
    const title = html("h2", {}, app.titleOf(id));
    byId("details").replaceChildren(title, ...(item ? this.detailsOf(item, id) : []));
  }

  detailsOf(item, id) {
    const { app } = this;
    const reads = item.in?.map(([node, n]) => (n > 1 ? `${n} x ` : "") + this.size(node));
    const rows = facts([
      ["Output", this.size(item.out) + this.change(item, "output")],
      ["Input", reads?.join(", ")],
      ["Parameters", this.count(item, "parameters")],
      ["MACs", this.count(item, "macs")],
      ["Copies", this.times(item) > 1 ? `${this.times(item)}, counted together` : ""],
      ["Around it", this.around(item)],
      ["Sees", item.sees],
      ["Arguments", this.argumentsOf(item)],
      ["Written", item.written?.join(", ")],
      ["Holds", item.holds?.join(", ")],
      ["Name", id],
      ["Cited", item.cites?.join("; ")],
      ["Spec", item.at && app.place(item.at)],
      ["Defined", item.defined && app.place(item.defined)],
    ]);
    return [rows, ...notesOf(app, item), ...(app.live?.fieldsOf(item, id) ?? [])];
  }

  count(item, what) {
    const { values } = this.app;
    const now = MEASURES[what].of(values, item);
    if (!now) return now === null ? "?" : "";
    const times = this.times(item);
    const each = times > 1 ? ` (${times} x ${grouped(values[what]([item.counts[0]]))})` : "";
    return grouped(now) + each + part(now, values[what]([""])) + this.change(item, what);
  }

  change(item, what) {
    const { of } = MEASURES[what];
    return difference(of(this.app.values, item), of(this.app.before, item));
  }

  /** How many copies a box stands for. */
  times(item) {
    return item.times ? this.app.values.count(item.counts[0]) : 1;
  }

  around(item) {
    const { items } = this.app.program;
    const times = (item.around ?? []).reduce((n, id) => n * this.times(items[id]), 1);
    return times > 1 ? `${times} copies, one is counted` : "";
  }

  argumentsOf(item) {
    return Object.entries(item.arguments ?? {}).map(([name, text]) => {
      const value = shown(this.app.values.argument(item.region, name));
      const isTold = text && text !== value && text !== name;
      return `${name} = ${value}${isTold ? ` (${text})` : ""}`;
    }).join(", ");
  }

  showStages() {
    const { app } = this;
    const head = ["Stage", "Output", "Parameters", "MACs"];
    const rows = app.program.stages.map((id) => {
      const item = app.program.items[id];
      const [parameters, macs] = COUNTED.map((what) => MEASURES[what].of(app.values, item));
      const go = html("button", { type: "button", onclick: () => app.goTo(id) }, app.titleOf(id));
      return html("tr", {}, html("th", { scope: "row" }, go), html("td", {}, this.size(item.out)),
        html("td", {}, grouped(parameters) + this.change(item, "parameters")),
        html("td", { title: grouped(macs) }, scaled(macs) + this.change(item, "macs")));
    });
    byId("stages").replaceChildren(html("table", {},
      html("thead", {}, html("tr", {}, ...head.map((t) => html("th", { scope: "col" }, t)))),
      html("tbody", {}, ...rows)));
  }

  showChanges() {
    const { changes, numbers } = this.app;
    const lines = numbers.settings.filter(({ key }) => changes.has(key)).map(
      ({ key, label, value }) => html("li", {},
        `${label} = ${fieldText(changes.get(key))} (was ${fieldText(value) || "open"})`));
    byId("changes").hidden = !lines.length;
    byId("change-list").replaceChildren(...lines);
  }

  /** What the spec says of the whole network. */
  showAbout() {
    const { doc, about } = this.app.program;
    const notes = notesOf(this.app, { ...about, docs: [...new Set([doc, ...about.docs])] });
    const said = notes.filter((note) => note.textContent);
    byId("about").hidden = !said.length;
    byId("about").replaceChildren(html("h2", {}, "About"), ...said);
  }
}
