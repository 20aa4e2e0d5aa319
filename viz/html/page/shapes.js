// Shapes without the batch dimension and window arithmetic, as compiler/graph/shapes.py has it.
// A size is a number, null where an error made it unknown, or a formula (symbolic.js).

class ShapeError extends Error {
  constructor(message, code = "shape-mismatch", help = "") {
    super(message);
    this.code = code;
    this.help = help;
  }
}

const isKnown = (shape) => shape.every((d) => typeof d === "number");
const known = (dim) => (typeof dim === "number" ? dim : 0);
const product = (sizes) => (sizes.includes(null) ? null : sizes.reduce(multiplySizes, 1));
const sum = (sizes) => (sizes.includes(null) ? null : sizes.every((s) => !isSymbolic(s)) ? sizes.reduce((a, b) => a + b, 0) : addSizes(sizes));

/** True for sizes that are equal for every input; formulas in several letters by their form alone. */
function sameDim(a, b) {
  if (a === b) return true;
  if (!isSymbolic(a) || !isSymbolic(b)) return false;
  const difference = addSizes([a, multiplySizes(b, -1)]);
  const sizes = isSymbolic(difference) ? whereZero(difference) : null;
  return difference === 0 || (sizes !== null && sizes.rests.length === sizes.period);
}

/** The shape as the paper prints it, height x width x channels: 35x35x384. */
const paper = (shape) => showSizes([...shape.slice(1), shape[0]]);
/** Sizes as text, height x width; what could be misread is in brackets. */
function showSizes(dims) {
  const texts = dims.map(showDim);
  return texts.length === 1 ? texts[0] : texts.map((text) => (/[-+/x]/.test(text) ? `(${text})` : text)).join("x");
}
/** The size of a tensor in words, with one where it is what the spec says. */
const outputText = (node) => paper(node.shape) + (node.isStated ? " (stated)" : "");
/** The shape as an error shows it, with the batch: (N, 384, 35, 35). */
const tuple = (shape) => `(${["N", ...shape.map(showDim)].join(", ")})`;

/** The smallest letter for which a size is at least `minimum`: no size shrinks as the input grows. */
function leastLetter(dim, minimum) {
  let [low, high] = [0, 1e6];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (valueAt(dim, middle) < minimum) low = middle;
    else high = middle;
  }
  return high;
}

/** (size + add) // divisor, null where the size is. */
function floorDivide(size, add, divisor) {
  if (size === null) return null;
  return divideSize(isSymbolic(size) ? addSizes([size, add]) : size + add, divisor);
}

const times = (size, factor) => product([size, factor]);

/** TensorFlow's SAME padding (before, after) of one axis; the odd pixel comes last. */
function samePads(size, kernel, stride, dilation) {
  const out = Math.ceil(size / stride);
  const total = Math.max(0, (out - 1) * stride + dilation * (kernel - 1) + 1 - size);
  return [Math.floor(total / 2), total - Math.floor(total / 2)];
}

/** The output size of a window on one axis: (n + before + after - reach) // stride + 1. */
function windowSize(size, kernel, stride, pads, dilation, ceil) {
  const reach = dilation * (kernel - 1) + 1;
  let grow = pads[0] + pads[1] - reach + stride;
  // A last window that would start in the padding is dropped.
  if (ceil) grow = Math.min(grow + stride - 1, pads[0] - 1 + stride);
  return floorDivide(size, grow, stride);
}

function windowGrid(shape, { kernel, stride, padding, dilation = [1, 1], ceil = false }) {
  return shape.slice(1).map((size, axis) =>
    padding === "same"
      ? floorDivide(size, stride[axis] - 1, stride[axis])
      : windowSize(size, kernel[axis], stride[axis], padding[axis], dilation[axis], ceil),
  );
}

/** The smallest grid on which a window fits. */
function leastWindow({ kernel, padding, dilation = [1, 1] }) {
  if (padding === "same") return [1, 1];
  return kernel.map((k, axis) => Math.max(1, dilation[axis] * (k - 1) + 1 - sum(padding[axis])));
}

/** Padding as short text: same, V, 1, 0x3 or all four numbers. */
function paddingText(pads) {
  if (typeof pads === "string") return pads;
  const [[top, bottom], [left, right]] = pads;
  if (top === bottom && left === right) return top === left ? (top === 0 ? "V" : String(top)) : `${top}x${left}`;
  return `${top},${bottom},${left},${right}`;
}
