// Elements, and numbers as people read them.

const byId = (id) => document.getElementById(id);

/** An element; text goes in as text nodes only, `onclick` and the like are listeners. */
function html(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const grouped = (count) => (count === null ? "?" : count.toLocaleString("en-US"));
const plural = (count, one, more = `${one}s`) => `${grouped(count)} ${count === 1 ? one : more}`;

/** A count with its order of magnitude: 12.25 G. */
function scaled(count) {
  const units = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]];
  const [unit, size] = units.find(([, least]) => count >= least) ?? ["", 1];
  return unit ? `${(count / size).toPrecision(4)} ${unit}` : grouped(count);
}

/** What a number has become, beside the one it was: +3.4 %; nothing where it is the same. */
function difference(now, before) {
  if (now === null || before === null || now === before) return "";
  if (!before) return ` (+${grouped(now)})`;
  const part = (100 * (now - before)) / before;
  const size = Math.abs(part);
  const told = size < 99.5 ? size.toPrecision(2) : grouped(Math.round(size));
  return ` (${part > 0 ? "+" : "\u2212"}${told} %)`;
}

/** A size as figures print it: 35x35x384. */
function sizeText(shape) {
  const [channels, ...grid] = shape;
  return [...grid, channels].map((size) => size ?? "?").join("x");
}

const isField = (element) => Boolean(element?.closest?.("input, select, textarea"));
