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
const over = (a, b) => (b.n ? q(a.n * b.d, a.d * b.n) : fail("division by zero"));

function fail(message) {
  throw new Fault(message);
}

const OPERATIONS = {
  "+": plus, "*": times, "/": over, "<": less, "==": same,
  "//": (a, b) => floor(over(a, b)),
  "%": (a, b) => plus(a, times(times(b, floor(over(a, b))), q(-1n))),
  "**": (a, by) => q(a.n ** by.n, a.d ** by.n),
  list: (...row) => row,
  len: (row) => exact(row.length),
  item: (row, at) => row.at(plain(at)) ?? fail(`there is no entry ${shown(at)}`),
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
  return isLarge && at.names ? fail("the value is out of bounds") : made;
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

  shape = (ref) => this.values.shape(this.full(ref)) ?? [null, null, null];
}

const nothing = () => ({ parameters: exact(0), macs: exact(0) });

function add(total, own, often = 1) {
  for (const what in total) {
    total[what] = total[what] && own[what] && plus(total[what], times(own[what], exact(often)));
  }
}

/** What `Numbers.evaluate` gives; a number that is not known, or not exact, is null. */
class Values {
  constructor(json, changes) {
    Object.assign(this, { json, changes, beyond: null, findings: [], grids: new Set() });
    this.known = new Map(); // name of a node or region -> what is known of it
    this.root = new Frame(this, "", new Map());
    try {
      this.body(json.root, this.root, json.arguments, this.root);
    } catch (error) {
      if (!(error instanceof Beyond)) throw error;
      Object.assign(this, { beyond: error.message, findings: [] });
    }
  }

  of(name) {
    const found = this.beyond ? null : this.known.get(name);
    return found?.out ? this.of(found.out) : found;
  }

  /** [channels, height, width], or [channels]. */
  shape = (node) => this.of(node)?.shape ?? null;
  attribute = (node, name) => plain(this.of(node)?.named[name]);
  argument = (region, name) => plain(this.known.get(region)?.names?.get(name));

  /** The sum over nodes and regions; copies that were not there at first count with the last. */
  parameters = (names) => this.summed(names, "parameters");
  macs = (names) => this.summed(names, "macs");

  summed(names, what) {
    const total = nothing();
    for (const name of names) {
      const { own, often } = this.known.get(name) ?? {};
      if (own) add(total, own, often);
    }
    return this.beyond ? null : plain(total[what]);
  }

  /** The copies of a repeat; those from a copy on. */
  count(region) {
    const [, around, at] = region.match(/^(.*)\.(\d+)$/s) ?? [];
    const { count } = this.known.get(region) ?? {};
    return count ?? Math.max(0, (this.known.get(around)?.count ?? 1) - Number(at ?? 0));
  }

  /** What a setting comes to: a default, a size or a count may follow another setting. */
  setting({ key, value, live = true }) {
    const [kind, name, axis] = key.split(":");
    const follows = live && !this.beyond && !this.changes.has(key);
    const read = {
      param: () => this.argument("", name),
      input: () => this.shape(name)?.[axis],
      repeat: () => this.count(name),
    };
    return (follows ? read[kind]() : this.changes.get(key)) ?? value;
  }

  // -- how they are found ------------------------------------------------------------------------

  leave(what) {
    throw new Beyond(`${what} makes another network; \`netdraft watch\` can follow it`);
  }

  find = (node, code, message, help = "") => this.findings.push({ node, code, message, help });
  note = (name, what) => this.known.set(name, { ...this.known.get(name), ...what });

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
    if (why) this.find(node, "bad-value", `\`${name}\` of \`${node}\` = ${shown(value)} ${why}`);
    return why ? null : value;
  }

  /** Evaluates what has names of its own: its arguments, `let`, layers, what was decided in it. */
  body(number, frame, given, outer) {
    const { whole = {}, names = [], members, checks = [], asserts = [] } = this.json.bodies[number];
    const where = frame.prefix || "the network";
    for (const [name, term] of [...Object.entries(given), ...names]) {
      const changed = frame === this.root ? exact(this.changes.get(`param:${name}`)) : null;
      const value = changed ?? this.value(term, given[name] === term ? outer : frame, where);
      frame.names.set(name, name in whole ? this.whole(value, whole[name], where, name) : value);
    }
    this.note(frame.prefix, { names: frame.names });
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
    for (const [name, kind, ...more] of list) {
      const full = frame.prefix + name;
      let own;
      if (Array.isArray(kind)) own = this.members(kind, frame);
      else if (kind === null) own = this.input(full, more[0], frame);
      else if (typeof kind === "number") own = this.node(full, this.json.ops[kind], more, frame);
      else own = kind.copies ? this.repeat(full, kind, frame) : this.block(full, kind, frame);
      this.note(full, { own });
      add(total, own);
    }
    this.note(frame.prefix, { own: total });
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
    let [out, isAlike] = [frame.full(enters), false];
    for (let at = 0; at < count && !isAlike; at++) {
      const [body, reads, leaves] = copies[Math.min(at, copies.length - 1)];
      const outside = reads.map((ref) => frame.full(ref));
      const copy = new Frame(this, `${full}.${at}`, frame.names, outside, out);
      const before = this.known.size;
      const own = this.body(body, copy, {}, copy);
      isAlike = at >= copies.length - 1 && same(copy.shape(leaves), copy.shape(-1));
      if (at + 1 >= was && at + 1 < count && !isAlike) this.leave(`another copy of \`${full}\``);
      add(total, own, isAlike ? count - at : 1);
      const made = isAlike ? [...this.known].slice(before) : [];
      for (let twin = at; made.length && twin < count; twin++) {
        if (this.known.size > 1e5) this.leave("a number of copies so large");
        const often = twin < was - 1 ? 1 : twin === was - 1 ? count - twin : 0;
        for (const [name, what] of made) {
          const own = { ...what, often: often * (what.often ?? 1) };
          this.known.set(`${full}.${twin}${name.slice(copy.prefix.length)}`, own);
        }
      }
      out = copy.full(leaves);
    }
    this.note(full, { count, out });
    return total;
  }

  input(full, sizes, frame) {
    const shape = sizes.map((term, axis) => {
      const set = exact(this.changes.get(`input:${full}:${axis}`));
      return plain(this.whole(set ?? this.value(term, frame, full), 1, full, "size"));
    });
    this.note(full, { shape, named: {} });
    return nothing();
  }

  node(full, { tree, open = [] }, [refs, formulas = [], more = {}], frame) {
    const { share, also = {}, stated } = more;
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
    if (ends.every((end) => end?.e)) this.fault(full, ends.at(-1).e, at);
    const agreed = (pick) => {
      const [first = null, ...others] = fit.map((end) => this.value(pick(end), at, full));
      return others.every((value) => same(value, first)) ? first : null;
    };
    let shape = ends.find(Boolean).s.map((_, axis) => plain(agreed((end) => end.s[axis])));
    if (stated && !this.changes.size) shape = stated;
    if (shape.some((size) => size > MOST)) this.leave(`a size of \`${full}\` above 10^15`);
    this.note(full, { shape, named, sizes });
    if (share !== undefined) this.share(full, frame.full(share));
    const [own, macs] = ["p", "m"].map((what) => agreed((end) => (what in end ? end[what] : 0)));
    return { parameters: share === undefined ? own : exact(0), macs };
  }

  /** Says what the compiler says; the same of a grid that is known to be too small is an echo. */
  fault(full, [code, message, help, marks], at) {
    const grid = text(at.leaves[0].slice(1));
    if (code === "empty-output" && this.grids.size === this.grids.add(grid).size) return;
    const [said, more] = [message, help].map((words) => this.filled(words, marks, at));
    this.find(full, code, `\`${full}\`${said}`, more);
  }

  /** Layers that share parameters are alike in all that these are made of. */
  share(full, owner) {
    const [own, other] = [full, owner].map((name) => this.of(name));
    const [mine, theirs] = [own, other].map((node) => String(node?.sizes.map(([size]) => size)));
    let why = text(own.named) === text(other?.named) ? "" : "they differ in their attributes";
    if (mine !== theirs) why = `it receives ${mine} channels, not ${theirs}`;
    const said = `\`${full}\` cannot use the parameters of \`${owner}\`: ${why}`;
    if (why) this.find(full, "share-mismatch", said);
  }
}

/** A network's numbers as the compiler wrote them, see viz/html/numbers.py. */
class Numbers {
  constructor(json) {
    this.settings = json.settings;
    /** The numbers at other settings: a Map of their keys to numbers or {n, d}. */
    this.evaluate = (changes = new Map()) => new Values(json, changes);
  }
}

/** What a user wrote for a setting: {value}, or {why} it is refused. */
function readSetting({ type, least, most }, entry) {
  const [written, isPart] = [entry.trim(), type === "number"];
  if (!(isPart ? /^-?\d{1,9}(\.\d{1,6})?$/ : /^-?\d{1,15}$/).test(written)) {
    const what = written ? `\`${written}\`` : "an empty field";
    return { why: `${what} is no ${isPart ? "number such as 0.5" : "whole number"}` };
  }
  const [whole, part = ""] = written.split(".");
  const value = q(BigInt(whole + part), 10n ** BigInt(part.length));
  let past = less(value, exact(least ?? value)) ? `less than ${least}` : "";
  if (less(exact(most ?? value), value)) past = `more than ${shown(exact(most))}`;
  if (past) return { why: `${shown(value)} is ${past}` };
  return { value: value.d === 1n ? Number(value.n) : { n: Number(value.n), d: Number(value.d) } };
}
