// The network's numbers at other settings: formulas that the compiler wrote, evaluated.
// compiler/facts/numbers says what they are made of.

class Fault extends Error {}
class Beyond extends Error {}

// -- formulas over exact numbers: fractions of two BigInts ---------------------------------------

function q(n, d = 1n) {
  let [a, b] = [n, d];
  while (b) [a, b] = [b, a % b];
  if (a < 0n !== d < 0n) a = -a;
  return { n: n / a, d: d / a };
}

/** A number, or {n, d} of numbers, as a fraction; any other value as it is. */
function exact(value) {
  if (typeof value === "number") return q(BigInt(value));
  return value?.d ? q(BigInt(value.n), BigInt(value.d)) : value ?? null;
}

/** A fraction as a number where it is a whole one that a number holds; null where it is not. */
function plain(value) {
  if (value?.d !== 1n) return value ?? null;
  return Number.isSafeInteger(Number(value.n)) ? Number(value.n) : null;
}

const plus = (a, b) => q(a.n * b.d + b.n * a.d, a.d * b.d);
const times = (a, b) => q(a.n * b.n, a.d * b.d);
const less = (a, b) => a.n * b.d < b.n * a.d;
const floor = (a) => q((a.n - (((a.n % a.d) + a.d) % a.d)) / a.d);
const text = (value) => JSON.stringify(value, (_, v) => (typeof v === "bigint" ? String(v) : v));
const same = (a, b) => text(a) === text(b);

function over(a, b) {
  if (b.n === 0n) throw new Fault("division by zero");
  return q(a.n * b.d, a.d * b.n);
}

const OPERATIONS = {
  "+": plus, "*": times, "/": over, "<": less, "==": same,
  "//": (a, b) => floor(over(a, b)),
  "%": (a, b) => plus(a, times(times(b, floor(over(a, b))), q(-1n))),
  "**": (a, by) => q(a.n ** by.n, a.d ** by.n),
  list: (...row) => row,
  len: (row) => exact(row.length),
  item: (row, at) => row.at(plain(at)) ?? lacking(at),
  min: (...row) => row.flat().reduce((a, b) => (less(b, a) ? b : a)),
  max: (...row) => row.flat().reduce((a, b) => (less(a, b) ? b : a)),
  sum: (row) => row.reduce(plus, exact(0)),
};
const FORMS = {
  "'": (_, word) => word,
  q: (_, n, d) => q(BigInt(n), BigInt(d)),
  if(at, condition, a, b) {
    const holds = evaluate(condition, at);
    return holds === null ? null : evaluate(holds ? a : b, at);
  },
  "#": (at, ref, axis) => exact(at.shape(ref)[axis]),
  net: (at, term) => evaluate(term, at.values.root),
  total: (at, what) => at.total[what],
  "?": (at, term) => (at.values.changes.size ? at.values.leave("a formula") : evaluate(term, at)),
};
const MOST = 10n ** 15n;
const ASSERTED = "correct the layers, or what is asserted of them";

function lacking(at) {
  throw new Fault(`there is no entry ${shown(at)}`);
}

/** The value of a formula in a frame or an operation, null where it is not known. */
function evaluate(term, at) {
  if (typeof term === "string") return at.names.get(term) ?? null;
  if (!Array.isArray(term)) return exact(term);
  const [head, ...parts] = term;
  if (typeof head === "number") return exact(at.leaves.at(head)[parts[0]]);
  if (head in FORMS) return FORMS[head](at, ...parts);
  const values = parts.map((part) => evaluate(part, at));
  if (values.includes(null)) return null;
  const made = OPERATIONS[head](...values);
  const isLarge = made.n > MOST || -made.n > MOST || made.d > MOST;
  if (isLarge && at.names) throw new Fault("the value is out of bounds");
  return made;
}

/** The ends that the conditions of a tree lead to: several where a size is not known. */
function endsOf(tree, at) {
  if (!Array.isArray(tree)) return [tree?.is ?? null];
  const [sign, a, b, yes, no] = tree;
  const holds = evaluate([sign, a, b], at);
  return (holds === null ? [yes, no] : [holds ? yes : no]).flatMap((way) => endsOf(way, at));
}

/** A value as a spec writes it: 22.4, 3x3, true; large numbers in groups of three digits. */
function shown(value) {
  if (Array.isArray(value)) return value.map(shown).join("x");
  if (value?.d === undefined) return String(value ?? "?");
  const number = Number(value.n) / Number(value.d);
  return number >= 1e4 ? number.toLocaleString("en-US") : String(+number.toPrecision(12));
}

// -- the numbers ---------------------------------------------------------------------------------

/** The network, an instance of a block, or a copy: what names mean in it. */
class Frame {
  constructor(values, prefix, names, outside = [], enters = null) {
    Object.assign(this, { values, prefix, names, outside, enters });
  }

  /** The whole name of a tensor. */
  full(ref) {
    if (typeof ref === "number") return ref < 0 ? this.enters : this.outside[ref];
    return ref?.startsWith("/") ? ref.slice(1) : ref === null ? null : this.prefix + ref;
  }

  shape(ref) {
    return this.values.shape(this.full(ref)) ?? [null, null, null];
  }
}

const nothing = () => ({ parameters: exact(0), macs: exact(0), operations: exact(0) });

function add(total, own, often = 1) {
  for (const what in total) {
    total[what] = total[what] && own[what] && plus(total[what], times(own[what], exact(often)));
  }
}

/** What `Numbers.evaluate` gives; a number that is not known, or not exact, is null. */
class Values {
  constructor(json, changes) {
    Object.assign(this, { json, changes, beyond: null, findings: [], grids: new Set() });
    for (const map of ["nodes", "totals", "frames", "ends", "folds"]) this[map] = new Map();
    this.root = new Frame(this, "", new Map());
    try {
      this.body(json.root, this.root, json.arguments, this.root);
      if (plain(this.totals.get("").operations) > 1e5) this.leave("so many copies");
    } catch (error) {
      if (!(error instanceof Beyond)) throw error;
      Object.assign(this, { beyond: error.message, findings: [] });
    }
  }

  /** [channels, height, width], or [channels]. */
  shape(node) {
    return this.beyond ? null : this.nodes.get(this.resolved(node))?.shape ?? null;
  }

  /** The sum over nodes and regions; a node of a folded copy, beside its like, is all of them. */
  parameters = (names) => this.summed(names, "parameters");
  macs = (names) => this.summed(names, "macs");

  attribute(node, name) {
    return this.beyond ? null : plain(this.nodes.get(this.resolved(node))?.named[name]);
  }

  argument(region, name) {
    return this.beyond ? null : plain(this.frames.get(this.resolved(region))?.get(name));
  }

  /** The copies of a repeat; those that a copy stands for, itself included. */
  count(region) {
    const [fold] = this.foldsOf(region);
    const own = this.folds.get(this.kin(region));
    return own?.count ?? (fold ? Math.max(0, fold.count - fold.at) : 1);
  }

  summed(names, what) {
    if (this.beyond) return null;
    const [all, total] = [new Set(names), nothing()];
    for (const name of names) {
      const own = this.totals.get(this.resolved(name));
      if (own) add(total, own, this.weight(name, all));
    }
    return plain(total[what]);
  }

  /** How often a name counts among others. */
  weight(name, all) {
    const [fold] = this.foldsOf(name);
    if (!fold || fold.at < fold.kept) return 1;
    const has = (at) => all.has(`${fold.region}.${at}${fold.rest}`);
    if (fold.at === fold.kept && has(fold.kept + 1)) return Math.max(0, fold.count - fold.kept);
    return Number(fold.at < fold.count && !(fold.at > fold.kept && has(fold.kept)));
  }

  /** The repeats around a name, each with the copy that it is in, and the rest of the name. */
  foldsOf(name) {
    return [...this.folds].flatMap(([region, fold]) => {
      const [, at, rest] = name.slice(region.length).match(/^\.(\d+)(.*)$/s) ?? [];
      return at && name.startsWith(region) ? [{ region, rest, at: Number(at), ...fold }] : [];
    });
  }

  /** The name that a tensor's numbers are kept under: that of the copy that stands for its own. */
  resolved(name) {
    if (name === null || name === undefined) return null;
    if (this.ends.has(name)) return this.resolved(this.ends.get(name));
    const kin = this.kin(name);
    return kin === name ? name : this.resolved(kin);
  }

  /** The name that something has in the copy that stands for its own. */
  kin(name) {
    const fold = this.foldsOf(name).find(({ at, kept }) => at > kept);
    return fold ? this.kin(`${fold.region}.${fold.kept}${fold.rest}`) : name;
  }

  // -- how they are found ------------------------------------------------------------------------

  leave(what) {
    throw new Beyond(`${what} makes another network; \`netdraft watch\` can follow it`);
  }

  find(node, code, message, help = "") {
    this.findings.push({ node, code, message, help });
  }

  /** The value of a formula, null where it is not known; a fault is a finding. */
  value(term, frame, node) {
    try {
      return evaluate(term, frame);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.find(node, "bad-expression", `\`${node}\`: ${error.message}`);
      return null;
    }
  }

  /** A whole number, null where it is none, which is a finding. */
  whole(value, least, node, name) {
    if (value === null) return null;
    let why = plain(value) < least ? `is less than ${least}` : "";
    if (plain(value) > 1e7) why = "is more than 10,000,000";
    if (value.d !== 1n) why = "is not a whole number";
    if (!why) return value;
    this.find(node, "bad-value", `\`${name}\` of \`${node}\` = ${shown(value)} ${why}`);
    return null;
  }

  /** Evaluates what has names of its own: its arguments, `let`, layers, what was decided in it. */
  body(number, frame, given, outer) {
    const { whole = {}, names = [], members, checks = [], asserts = [] } = this.json.bodies[number];
    const where = frame.prefix || "the network";
    for (const [name, term] of [...Object.entries(given), ...names]) {
      const changed = frame === this.root ? exact(this.changes.get(`param:${name}`)) : null;
      const isGiven = given[name] === term;
      const value = changed ?? this.value(term, isGiven ? outer : frame, where);
      frame.names.set(name, name in whole ? this.whole(value, whole[name], where, name) : value);
    }
    this.frames.set(frame.prefix, frame.names);
    frame.total = this.members(members, frame);
    for (const [formula, was, text] of checks) {
      const value = this.value(formula, frame, where);
      const isSo = value === null || same(value, evaluate(was, frame));
      if (!isSo) this.leave(`\`${text}\` in ${where}`);
    }
    for (const [formula, message, sides] of asserts) {
      if (this.value(formula, frame, where) !== false) continue;
      this.find(where, "assertion-failed", this.filled(message, sides, frame), ASSERTED);
    }
    return frame.total;
  }

  /** A text with the values of formulas in the place of their numbers. */
  filled(text, formulas, at) {
    return text.replace(/\u25a1(\d+)\u25a1/g, (_, number) => shown(evaluate(formulas[number], at)));
  }

  members(list = [], frame) {
    const total = nothing();
    for (const member of list) {
      const [name, kind] = member;
      const full = frame.prefix + name;
      let own;
      if (Array.isArray(kind)) own = this.members(kind, frame);
      else if (kind === null) own = this.input(full, member[2], frame);
      else if (typeof kind === "number") own = this.node(full, member, frame);
      else own = kind.copies ? this.repeat(full, kind, frame) : this.block(full, kind, frame);
      this.totals.set(full, own);
      add(total, own);
    }
    this.totals.set(frame.prefix, total);
    return total;
  }

  block(full, { body, reads = [], arguments: given = {} }, frame) {
    const outside = reads.map((ref) => frame.full(ref));
    return this.body(body, new Frame(this, full, new Map(), outside), given, frame);
  }

  repeat(full, { count: formula, was, enters, copies, fixed }, frame) {
    const set = exact(this.changes.get(`repeat:${full}`)) ?? this.value(formula, frame, full);
    const count = plain(this.whole(set, 0, full, "repeat")) ?? was;
    if (count !== was && fixed) this.leave(`another number of copies of \`${full}\``);
    const total = nothing();
    let [kept, entering, isAlike] = [copies.length - 1, frame.full(enters), false];
    for (let at = 0; at < count && !isAlike; at++) {
      const [body, reads, out] = copies[Math.min(at, copies.length - 1)];
      const outside = reads.map((ref) => frame.full(ref));
      const copy = new Frame(this, `${full}.${at}`, frame.names, outside, entering);
      const own = this.members(this.json.bodies[body].members, copy);
      isAlike = at >= copies.length - 1 && same(copy.shape(out), copy.shape(-1));
      if (at + 1 >= was && at + 1 < count && !isAlike) this.leave(`another copy of \`${full}\``);
      add(total, own, isAlike ? count - at : 1);
      [kept, entering] = [Math.max(kept, at), copy.full(out)];
    }
    this.folds.set(full, { count, kept });
    this.ends.set(full, entering);
    return total;
  }

  input(full, sizes, frame) {
    const shape = sizes.map((term, axis) => {
      const set = exact(this.changes.get(`input:${full}:${axis}`));
      return plain(this.whole(set ?? this.value(term, frame, full), 1, full, "size"));
    });
    this.nodes.set(full, { shape, named: {} });
    return nothing();
  }

  node(full, [, number, refs, formulas = [], { share, also = {}, stated } = {}], frame) {
    const { tree, open = [], ...says } = this.json.ops[number];
    const named = {};
    for (const name in also) named[name] = this.value(also[name], frame, full);
    const attributes = formulas.map((term, at) => {
      const [name, least, key] = open[at];
      return (named[name] = this.whole(this.value(term, frame, full), least, full, key));
    });
    const sizes = refs.map((ref) => frame.shape(ref));
    const at = { leaves: [...sizes, attributes] };
    const ends = endsOf(tree, at);
    if (!ends.some(Boolean)) this.leave(`what enters \`${full}\``);
    const fit = ends.length === 1 ? ends : ends.filter((end) => end && !end.e);
    if (ends.every((end) => end?.e)) this.fault(full, ends.at(-1).e, at, sizes, says);
    const agreed = (pick) => {
      const [first = null, ...more] = fit.map((end) => this.value(pick(end), at, full));
      return more.every((value) => same(value, first)) ? first : null;
    };
    let shape = ends.find(Boolean).s.map((_, axis) => plain(agreed((end) => end.s[axis])));
    if (stated && !this.changes.size) shape = stated;
    if (shape.some((size) => size > MOST)) this.leave(`a size of \`${full}\` above 10^15`);
    this.nodes.set(full, { shape, named, sizes });
    if (share !== undefined) this.share(full, frame.full(share));
    const [own, macs] = ["p", "m"].map((what) => agreed((end) => (what in end ? end[what] : 0)));
    return { parameters: share === undefined ? own : exact(0), macs, operations: exact(1) };
  }

  /** Says what the compiler says; the same of a grid that is known to be too small is an echo. */
  fault(full, [code, message, help, marks], at, sizes, { verb, apart, help: way }) {
    const grid = text(sizes[0].slice(1));
    if (code === "empty-output" && this.grids.size === this.grids.add(grid).size) return;
    const isApart = verb && code === "shape-mismatch";
    const [said, more] = isApart
      ? [` cannot ${verb} ${unlike(sizes, apart)}`, way]
      : [`: ${this.filled(message, marks, at)}`, this.filled(help, marks, at)];
    this.find(full, code, `\`${full}\`${said}`, more);
  }

  /** Layers that share parameters are alike in all that these are made of. */
  share(full, owner) {
    const made = (node) => text([node?.sizes.map(([channels]) => channels), node?.named]);
    const [own, other] = [full, this.resolved(owner)].map((name) => made(this.nodes.get(name)));
    if (own !== other) this.leave(`\`${full}\`, no longer like \`${owner}\`,`);
  }
}

/** The size that is unlike most, the last on a tie, with the others. */
function unlike(sizes, apart) {
  const often = (a) => sizes.filter((b) => same(a.slice(apart), b.slice(apart))).length;
  const most = Math.max(...sizes.map(often));
  const odd = sizes.find((size) => often(size) < most) ?? sizes.at(-1);
  const [first, ...others] = [odd, ...sizes].map(([c, ...grid]) => shown([...grid, c]));
  return `${first} with ${[...new Set(others)].filter((text) => text !== first).join(" and ")}`;
}

/** A network's numbers as the compiler wrote them; see viz/html/numbers.py. */
class Numbers {
  constructor(json) {
    Object.assign(this, { json, settings: json.settings });
  }

  /** The numbers at other settings: a Map of their keys to numbers or {n, d}. */
  evaluate(changes = new Map()) {
    return new Values(this.json, changes);
  }
}

/** What a user wrote for a setting: {value}, or {why} it is refused. */
function readSetting({ type, least, most }, entry) {
  const [written, isPart] = [entry.trim(), type === "number"];
  if (!(isPart ? /^-?\d{1,15}(\.\d{1,15})?$/ : /^-?\d{1,15}$/).test(written)) {
    return { why: `\`${written}\` is no ${isPart ? "number such as 0.5" : "whole number"}` };
  }
  const [whole, part = ""] = written.split(".");
  const value = q(BigInt(whole + part), 10n ** BigInt(part.length));
  const isLess = typeof least === "number" && less(value, exact(least));
  const isMore = typeof most === "number" && less(exact(most), value);
  if (isLess) return { why: `${shown(value)} is less than ${least}` };
  if (isMore) return { why: `${shown(value)} is more than ${shown(exact(most))}` };
  return { value: value.d === 1n ? Number(value.n) : { n: Number(value.n), d: Number(value.d) } };
}
