// Operations without a rule here: what the compiler traced of them, evaluated for the sizes at hand.
// The counterpart of viz/html/traced.py; such an operation is {kind, traced: {paths, words, ...}}.

const SIGNS = {
  "+": (a, b) => sum([a, b]),
  "*": (a, b) => product([a, b]),
  "//": (a, b) => (isSymbolic(b) || b < 1 ? null : floorDivide(a, 0, b)),
  "%": (a, b) => (isSymbolic(a) || isSymbolic(b) ? null : a - b * Math.floor(a / b)),
};

function formula(tree, shapes) {
  if (!Array.isArray(tree)) return tree;
  const [sign, ...parts] = tree;
  if (sign === "in") return shapes[parts[0]][parts[1]];
  const values = parts.map((part) => formula(part, shapes));
  return values.includes(null) ? null : SIGNS[sign](...values);
}

const OUTCOMES = { "==": (a, b) => a === b, "<": (a, b) => a < b, ">": (a, b) => a > b };

/** True where a comparison comes out as it did when the operation was traced. */
function comesOut([sign, first, second, wanted], shapes) {
  const [a, b] = [formula(first, shapes), formula(second, shapes)];
  if (sign === "==" && wanted && a !== null && b !== null && sameDim(a, b)) return true; // open sizes
  return typeof a === "number" && typeof b === "number" && OUTCOMES[sign](a, b) === wanted;
}

/** What was traced for shapes like these, undefined where nothing was. */
function pathOf({ paths }, shapes) {
  const ranks = String(shapes.map((s) => s.length));
  const isOpen = shapes.every((s) => s.slice(1).every(isSymbolic));
  const fits = (path) => String(path.ranks) === ranks && (isOpen || !path.open) && path.when.every((c) => comesOut(c, shapes));
  return paths.find(fits);
}

function inferTraced({ kind, traced }, shapes) {
  const path = pathOf(traced, shapes);
  if (path?.error) {
    const filled = path.error.message.replace(/\u25a1(\d+)\u25a1/g, (_, i) => showDim(formula(path.shown[i], shapes)));
    const help = path.error.help.replace(/\u25a1(\d+)\u25a1/g, (_, i) => showDim(formula(path.shown[i], shapes)));
    throw new ShapeError(filled, path.error.code, help);
  }
  if (path) return path.sizes.map((tree) => formula(tree, shapes));
  if (shapes.some((shape) => shape.includes(null))) return nothingKnown(shapes);
  const help = "say it in the spec, and `netdraft check` works it out";
  throw new ShapeError(`what ${kind} gives with these values is beyond this page`, "beyond-page", help);
}

/** The most that can be said of the output of an operation that does not fit. */
function recoverTraced({ traced }, shapes) {
  const path = pathOf(traced, shapes);
  return path ? path.sizes.map((tree) => formula(tree, shapes)) : nothingKnown(shapes);
}

const nothingKnown = (shapes) => (shapes[0] ?? [null, null, null]).map(() => null);

/** `parameters` or `macs`, null where they are not known. */
function countTraced({ traced }, shapes, what) {
  const path = pathOf(traced, shapes);
  return path ? formula(path[what], shapes) : null;
}

const keyOf = (values) => JSON.stringify(values, (_, value) => (typeof value === "bigint" ? String(value) : value));

/** The operations of a layer without a rule here, for the values that its fields have now. */
function tracedParts(layer, fields) {
  const { variants } = layer.traced;
  const key = keyOf(layer.traced.fields.map((field) => fields.settle(fields.raw(field), field)));
  const found = variants.find((variant) => keyOf(variant.values) === key);
  if (found) return found.parts;
  const traced = { paths: [], words: [layer.op, []], box: "reshape", keeps: false, least: [1, 1], parameters: [] };
  return [["", { kind: `\`${layer.op}\``, traced: { ...traced, box: variants[0]?.parts[0][1].traced.box ?? traced.box } }]];
}
