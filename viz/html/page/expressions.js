// The expression language of the specs: exact integers and fractions, as compiler/text/expr.py has it.
// A value is a whole number (a JS number), a fraction {n, d} of two BigInts, true or false, a
// text, a pair [height, width], or null where an earlier error made it unknown.

const MAX_MAGNITUDE = 10n ** 15n;

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
  if (kind === "name") return lookUp(args[0], lookup);
  if (kind === "not") return !truth(args[0], lookup);
  if (kind === "and") return truth(args[0], lookup) && truth(args[1], lookup);
  if (kind === "or") return truth(args[0], lookup) || truth(args[1], lookup);
  const name = kind === "call" ? args.shift() : kind;
  const values = args.map((a) => evaluate(a, lookup));
  if (kind === "==") return equal(...values);
  if (kind === "!=") return !equal(...values);
  return compute(kind, name, values.map(toNumber));
}

function lookUp(name, lookup) {
  if (name === "true" || name === "false") return name === "true";
  const value = lookup(name);
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

function compute(kind, name, numbers) {
  if (kind === "call") return tidy(call(name, numbers));
  if (kind in COMPARISONS) return COMPARISONS[kind](...numbers);
  if (kind === "neg") return tidy({ n: -numbers[0].n, d: numbers[0].d });
  if ("/%".includes(kind[0]) && numbers[1].n === 0n) throw new ExprError("division by zero");
  const result = ARITHMETIC[kind](...numbers);
  const size = result.n < 0n ? -result.n : result.n;
  if (size > MAX_MAGNITUDE || result.d > MAX_MAGNITUDE) throw new ExprError("the value is out of bounds");
  return tidy(result);
}

function call(name, [a, b]) {
  if (name === "min") return less(b, a) ? b : a;
  if (name === "max") return less(a, b) ? b : a;
  return { n: ROUNDINGS[name](a), d: 1n };
}

/** Return a value as it would stand in a spec: 22.4, 3x3, true. */
function showValue(value) {
  if (isFraction(value)) return String(Number(asFloat(value).toPrecision(12)));
  if (Array.isArray(value?.[0])) return JSON.stringify(value).replaceAll(",", ", ");
  if (Array.isArray(value)) return value.join("x");
  return String(value);
}
