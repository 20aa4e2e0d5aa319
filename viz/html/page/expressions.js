// The expression language of the specs: exact integers and fractions, as compiler/text/expr.py has it.
// A value is a whole number (a JS number), a fraction {n, d} of two BigInts, true or false, a
// text, a list or a pair [height, width], or null where an earlier error made it unknown.

const MAX_MAGNITUDE = 10n ** 15n;
const MAX_EXPONENT = 64n;

class ExprError extends Error {}
class Unknown extends Error {}

const isFraction = (value) => typeof value === "object" && value !== null && "d" in value;
const isNumber = (value) => typeof value === "number" || isFraction(value);

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

function fraction(n, d) {
  if (d < 0n) [n, d] = [-n, -d];
  const g = gcd(n, d) || 1n;
  return { n: n / g, d: d / g };
}

const exact = (value) => (isFraction(value) ? value : { n: BigInt(value), d: 1n });
const tidy = (value) => (value.d === 1n ? Number(value.n) : value);
const asFloat = (value) => (isFraction(value) ? Number(value.n) / Number(value.d) : value);

/** Divide and round down, also for negative numbers. */
function floorDiv(a, b) {
  const q = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? q - 1n : q;
}

function parseNumber(text) {
  const [, whole, part = "", power = "0"] = /^(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  const shift = Number(power) - part.length;
  const digits = BigInt(whole + part);
  return tidy(shift >= 0 ? fraction(digits * 10n ** BigInt(shift), 1n) : fraction(digits, 10n ** BigInt(-shift)));
}

const ROUNDINGS = {
  int: (x) => x.n / x.d,
  floor: (x) => floorDiv(x.n, x.d),
  ceil: (x) => -floorDiv(-x.n, x.d),
  round: (x) => {
    const low = floorDiv(x.n, x.d);
    const twice = 2n * (x.n - low * x.d);
    if (twice === x.d) return low % 2n === 0n ? low : low + 1n;
    return twice > x.d ? low + 1n : low;
  },
};

const less = (a, b) => a.n * b.d < b.n * a.d;
const equal = (a, b) => (isNumber(a) && isNumber(b) ? sameNumber(exact(a), exact(b)) : String(a) === String(b) && typeof a === typeof b);
const sameNumber = (a, b) => a.n === b.n && a.d === b.d;

const ARITHMETIC = {
  "+": (a, b) => fraction(a.n * b.d + b.n * a.d, a.d * b.d),
  "-": (a, b) => fraction(a.n * b.d - b.n * a.d, a.d * b.d),
  "*": (a, b) => fraction(a.n * b.n, a.d * b.d),
  "/": (a, b) => fraction(a.n * b.d, a.d * b.n),
  "//": (a, b) => fraction(floorDiv(a.n * b.d * (b.n < 0n ? -1n : 1n), a.d * (b.n < 0n ? -b.n : b.n)), 1n),
  "%": (a, b) => ARITHMETIC["-"](a, ARITHMETIC["*"](b, ARITHMETIC["//"](a, b))),
  "**": (a, b) => (b.n < 0n ? fraction(a.d ** -b.n, a.n ** -b.n) : fraction(a.n ** b.n, a.d ** b.n)),
};

const COMPARISONS = {
  "<": (a, b) => less(a, b),
  "<=": (a, b) => !less(b, a),
  ">": (a, b) => less(b, a),
  ">=": (a, b) => !less(a, b),
};

/** Evaluate a syntax tree [kind, ...]; `lookup` gives the value of a name, undefined if there is none. */
function evaluate(tree, lookup) {
  const [kind, ...args] = tree;
  if (kind === "number") return parseNumber(args[0]);
  if (kind === "name") return lookUp(args, lookup);
  if (kind === "text") return args[0];
  if (kind === "size") return args[0].split("x").map(Number);
  if (kind === "if") return evaluate(args[truth(args[0], lookup) ? 1 : 2], lookup);
  if (kind === "not") return !truth(args[0], lookup);
  if (kind === "and") return truth(args[0], lookup) && truth(args[1], lookup);
  if (kind === "or") return truth(args[0], lookup) || truth(args[1], lookup);
  const name = kind === "call" ? args.shift() : kind;
  const values = args.map((a) => evaluate(a, lookup));
  if (kind === "==") return equal(...values);
  if (kind === "!=") return !equal(...values);
  if (kind === "list") return values;
  if (kind === "item") return item(...values);
  if (kind === "call" && name in OVER_ALL) return tidyCall(name, values);
  return compute(kind, name, values.map(toNumber));
}

/** The value of a name: a word of the language has one where no parameter is called so. */
function lookUp([name, word], lookup) {
  if (name === "true" || name === "false") return name === "true";
  const known = lookup(name);
  const value = known === undefined ? word : known;
  if (value === undefined) throw new ExprError(`unknown name \`${name}\``);
  if (value === null) throw new Unknown();
  return value;
}

function truth(tree, lookup) {
  const value = evaluate(tree, lookup);
  if (typeof value !== "boolean") throw new ExprError(`expected true or false, found ${showValue(value)}`);
  return value;
}

function toNumber(value) {
  if (!isNumber(value)) throw new ExprError(`expected a number, found \`${showValue(value)}\``);
  return exact(value);
}

/** An entry of a list, or a side of a size, counted from 0; from the end below 0. */
function item(row, index) {
  if (!Array.isArray(row)) throw new ExprError(`expected a list, found \`${showValue(row)}\``);
  if (typeof index !== "number") throw new ExprError(`an index is a whole number, not \`${showValue(index)}\``);
  const there = row.length ? `entries 0 to ${row.length - 1}` : "no entries";
  const value = row.at(index);
  if (value === undefined) throw new ExprError(`there is no entry ${index}: the list has ${there}`);
  return value;
}

const OVER_ALL = {
  min: (numbers) => numbers.reduce((a, b) => (less(b, a) ? b : a)),
  max: (numbers) => numbers.reduce((a, b) => (less(a, b) ? b : a)),
  sum: (numbers) => numbers.reduce(ARITHMETIC["+"], exact(0)),
  len: (entries) => exact(entries.length),
};

/** A function of all its arguments, or of the entries of one list. */
function tidyCall(name, values) {
  const ofList = values.length === 1 && Array.isArray(values[0]);
  if (!ofList && (name === "sum" || name === "len")) throw new ExprError(`expected a list, found \`${showValue(values[0])}\``);
  const entries = ofList ? values[0] : values;
  if (name === "len") return entries.length;
  if (!entries.length && name !== "sum") throw new ExprError(`\`${name}\` of an empty list`);
  return tidy(OVER_ALL[name](entries.map(toNumber)));
}

function compute(kind, name, numbers) {
  if (kind === "call") return tidy(call(name, numbers));
  if (kind in COMPARISONS) return COMPARISONS[kind](...numbers);
  if (kind === "neg") return tidy({ n: -numbers[0].n, d: numbers[0].d });
  if (kind === "**") checkExponent(numbers[1]);
  const divides = kind === "**" ? numbers[1].n < 0n && numbers[0].n === 0n : "/%".includes(kind[0]) && numbers[1].n === 0n;
  if (divides) throw new ExprError("division by zero");
  const result = ARITHMETIC[kind](...numbers);
  const size = result.n < 0n ? -result.n : result.n;
  if (size > MAX_MAGNITUDE || result.d > MAX_MAGNITUDE) throw new ExprError("the value is out of bounds");
  return tidy(result);
}

function checkExponent({ n, d }) {
  if (d === 1n && n <= MAX_EXPONENT && n >= -MAX_EXPONENT) return;
  throw new ExprError(`the exponent is ${showValue(tidy({ n, d }))}, not a whole number from -${MAX_EXPONENT} to ${MAX_EXPONENT}`);
}

function call(name, [a, b]) {
  return { n: name === "round_to" ? roundTo(a, b) : ROUNDINGS[name](a), d: 1n };
}

/** The nearest multiple, at least one, never below 0.9 of the value: MobileNet's _make_divisible. */
function roundTo(value, divisor) {
  const { n, d } = divisor;
  if (d !== 1n || n < 1n) throw new ExprError(`\`round_to\` gives a multiple of a whole number from 1, not of ${showValue(tidy(divisor))}`);
  const near = ARITHMETIC["+"](value, fraction(n, 2n));
  const nearest = floorDiv(near.n / near.d, n) * n;
  const rounded = nearest > n ? nearest : n;
  return rounded * 10n * value.d < 9n * value.n ? rounded + n : rounded;
}

/** Return a value as it would stand in a spec: 22.4, 3x3, true. */
function showValue(value) {
  if (isFraction(value)) return String(Number(asFloat(value).toPrecision(12)));
  if (Array.isArray(value?.[0])) return JSON.stringify(value).replaceAll(",", ", ");
  if (Array.isArray(value)) return value.length === 2 ? value.join("x") : `[${value.map(showValue).join(", ")}]`;
  return String(value);
}
