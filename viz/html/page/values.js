// Reads the fields of a layer: numbers, pairs, padding and words, with the complaints that they
// earn. The counterpart of compiler/spec/values.py.

const MAX_COUNT = 10_000_000;
const isExpr = (value) => typeof value === "object" && value !== null && "t" in value;

class Fields {
  /**
   * `lookup` gives the value of a name; `overrides` maps "layer.field" to a value set in the page;
   * `network` holds the parameters that the network's defaults read, for a layer inside a block.
   */
  constructor(layer, lookup, report, overrides, network = null) {
    this.network = network;
    this.layer = layer;
    this.lookup = lookup;
    this.report = report;
    this.overrides = overrides;
    this.written = {};
  }

  raw(field) {
    const set = this.overrides.get(`${this.layer.id}.${field}`);
    return set === undefined ? this.layer.fields[field] ?? null : set;
  }

  /** True for a field of a layer in a block that the network's defaults say. */
  isTaken(field) {
    return this.network !== null && field in (this.layer.taken ?? {}) && !this.overrides.has(`${this.layer.id}.${field}`);
  }

  lookupFor(field) {
    return this.isTaken(field) ? (name) => (Object.hasOwn(this.network, name) ? this.network[name] : undefined) : this.lookup;
  }

  whose(field) {
    const what = this.layer.what ?? `\`${this.layer.op}\``;
    return what === `\`${field}\`` ? what : `\`${field}\` of ${what}`;
  }

  /** The value of a formula; null where it is wrong (reported) or unknown. */
  evaluate(formula, field, whose = this.whose(field)) {
    if (formula?.called) return this.called(formula, field);
    if (!isExpr(formula)) return formula;
    if (!this.isTaken(field)) this.written[field] = formula.x;
    try {
      return evaluate(formula.t, this.lookupFor(field));
    } catch (error) {
      if (error instanceof Unknown) return null;
      if (!(error instanceof ExprError)) throw error;
      const code = error.message.includes("unknown name") ? "unknown-parameter" : "bad-expression";
      this.report.add({ code, message: `${whose}: ${error.message}`, at: placeOf(this.layer, field), help: error.help ?? "" });
      return null;
    }
  }

  /** The value of a formula, or of a pair of them; null where a part is. */
  settle(value, field, whose) {
    if (!Array.isArray(value)) return this.evaluate(value, field, whose);
    const parts = value.map((part) => this.settle(part, field, whose));
    return parts.includes(null) ? null : parts;
  }

  refuse(field, formula, value, why) {
    const written = isExpr(formula) ? `${formula.x} = ` : "";
    const help = isFraction(value) ? "round it as you mean it: `floor(...)`, `ceil(...)` or `round(...)`" : "";
    const message = `${this.whose(field)} = ${written}${showValue(value)} ${why}`;
    this.report.add({ code: "bad-value", message, at: placeOf(this.layer, field), help });
    return null;
  }

  integer(field, least = 1, formula = this.raw(field)) {
    const value = this.evaluate(formula, field);
    if (value === null) return null;
    if (!isNumber(value)) return this.refuse(field, formula, value, "is not a number");
    if (isFraction(value)) return this.refuse(field, formula, value, "is not a whole number");
    if (value < least) return this.refuse(field, formula, value, `is less than ${least}`);
    if (value > MAX_COUNT) return this.refuse(field, formula, value, `is more than ${MAX_COUNT.toLocaleString("en-US")}`);
    return value;
  }

  number(field) {
    const formula = this.raw(field);
    const value = this.evaluate(formula, field);
    if (value === null) return null;
    if (!isNumber(value)) return this.refuse(field, formula, value, "is not a number");
    if (Math.abs(asFloat(value)) > 1e30) return this.refuse(field, formula, value, "is out of bounds");
    return asFloat(value);
  }

  pair(field, least = 1, raw = this.raw(field)) {
    if (isExpr(raw)) {
      const value = this.evaluate(raw, field);
      if (Array.isArray(value) || value === null) return value;
      raw = isFraction(value) || typeof value === "string" ? raw : value;
    }
    if (Array.isArray(raw)) {
      const [height, width] = raw.map((r) => this.integer(field, least, r));
      return height === null || width === null ? null : [height, width];
    }
    const one = this.integer(field, least, raw);
    return one === null ? null : [one, one];
  }

  padding(kernel, dilation = [1, 1]) {
    let raw = this.raw("padding");
    const isWord = isExpr(raw) && this.isWord(raw);
    if (isWord && raw.x !== "half") return this.refuseWord(raw);
    if (isExpr(raw)) raw = isWord ? "half" : this.evaluate(raw, "padding");
    if (raw === "half") return kernel.map((k, axis) => Array(2).fill(Math.floor((dilation[axis] * (k - 1)) / 2)));
    if (raw === null || raw === "same") return raw;
    if (raw === "valid" || raw === "V") return [[0, 0], [0, 0]];
    if (Array.isArray(raw) && Array.isArray(raw[0])) {
      const [rows, columns] = raw.map((r) => this.pair("padding", 0, r));
      return rows === null || columns === null ? null : [rows, columns];
    }
    const pair = this.pair("padding", 0, raw);
    return pair && [[pair[0], pair[0]], [pair[1], pair[1]]];
  }

  /** A lone word that is no parameter is meant as a padding's name. */
  isWord({ x, t }) {
    return t[0] === "name" && !x.includes(".") && this.lookupFor("padding")(x) === undefined;
  }

  refuseWord({ x }) {
    const message = `${this.whose("padding")}: there is no padding \`${x}\``;
    this.report.add({ code: "bad-value", message, at: placeOf(this.layer, "padding") });
    return null;
  }

  /** True or false; an unknown condition counts as true. */
  flag(field) {
    const formula = this.raw(field);
    const value = this.evaluate(formula, field);
    if (typeof value === "boolean") return value;
    if (value !== null) this.refuse(field, formula, value, "is neither true nor false");
    return true;
  }

  /** An activation with its argument as one text; null where that is wrong. */
  called({ called, argument }, field) {
    const value = this.evaluate(argument, field);
    return value === null ? null : spelled(called, asFloat(value));
  }

  activation(field, params) {
    const raw = this.raw(field);
    if (raw?.called) return this.evaluate(raw, field) ?? "none";
    return this.word(field, params, ACTIVATION_WORDS);
  }

  word(field, params, words) {
    const raw = this.raw(field);
    const written = isExpr(raw) ? this.evaluate(raw, field) : String(raw);
    if (written === null) return "none";
    const names = this.isTaken(field) ? this.network : params;
    const value = words.includes(written) ? written : names[written] ?? written;
    if (words.includes(value) || String(value).startsWith("{")) return value;
    const message = `${this.whose(field)}: there is no ${field} \`${value}\``;
    this.report.add({ code: "bad-value", message, at: placeOf(this.layer, field) });
    return "none";
  }
}

/** [file, line, column] of a field, or of its layer. */
function placeOf(layer, field) {
  if (layer.taken?.[field]) return layer.taken[field];
  const place = layer.places?.[field];
  return place ? [layer.at[0], ...place] : layer.at;
}

const isPair = (value) => Array.isArray(value) && value.length === 2;

/** Return a parameter's value as its type has it, and a complaint (empty if none). */
function coerce(type, value) {
  const whole = typeof value === "number";
  switch (type) {
    case "channels":
    case "int":
      if (!whole) return [null, "is not a whole number"];
      if (type === "channels" && value < 1) return [null, "is less than 1"];
      return [value, Math.abs(value) <= MAX_COUNT ? "" : `is out of bounds (${MAX_COUNT.toLocaleString("en-US")})`];
    case "number":
      return isNumber(value) ? [value, ""] : [null, "is not a number"];
    case "bool":
      return typeof value === "boolean" ? [value, ""] : [null, "is neither true nor false"];
    case "kernel": {
      const pair = whole ? [value, value] : value;
      if (!isPair(pair)) return [null, "is not a size"];
      return pair.every((v) => v >= 1) ? [pair, ""] : [null, "is less than 1"];
    }
    case "padding":
      return ["same", "valid", "half"].includes(value) || whole || isPair(value) ? [value, ""] : [null, "is not a number"];
    case "list":
      return Array.isArray(value) ? [value, ""] : [null, "is not a list"];
    default:
      return typeof value === "string" ? [value, ""] : [null, "is not a text"];
  }
}
