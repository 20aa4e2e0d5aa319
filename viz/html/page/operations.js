// What every operation says of itself: output shape, parameters, multiply-accumulates, room.
// The rules are those of compiler/ops; an operation is {kind, ...attributes}.

function onlyInput(shapes, what) {
  if (shapes.length !== 1) throw new ShapeError(`${what} takes one input, it has ${shapes.length}`, "operand-count");
  return shapes[0];
}

function onlyMap(shapes, what) {
  const shape = onlyInput(shapes, what);
  if (shape.length === 3) return shape;
  throw new ShapeError(
    `${what} needs a map of channels x height x width, it receives the vector ${tuple(shape)}`,
    "not-a-map",
    "move it before the global pooling or the flatten",
  );
}

function onlyVector(shapes, what, needs, help) {
  const shape = onlyInput(shapes, what);
  if (shape.length === 1) return shape;
  throw new ShapeError(`${needs} needs a vector, it receives the map ${tuple(shape)}`, "not-a-vector", help);
}

function checkRoom(shape, op, out, what, help = "") {
  const { kernel, dilation = [1, 1] } = op;
  const least = leastWindow(op);
  const reach = kernel.map((k, axis) => dilation[axis] * (k - 1) + 1).join("x");
  const dilated = dilation.some((d) => d !== 1) ? `, ${reach} with its dilation,` : "";
  shape.slice(1).forEach((size, axis) => {
    const tooSmall = typeof size === "number" && size < least[axis];
    if (tooSmall || (typeof out[axis] === "number" && out[axis] < 1)) {
      const grid = showSizes(shape.slice(1));
      throw new ShapeError(`${what} of ${kernel[0]}x${kernel[1]}${dilated} has no room on a ${grid} grid`, "empty-output", help);
    }
  });
}

function checkGroups(op, shape) {
  for (const [count, side] of [[shape[0], "input"], [op.filters, "output"]]) {
    if (typeof count === "number" && count % op.groups) {
      throw new ShapeError(
        `${count} ${side} channels cannot be split into ${op.groups} groups (${count} % ${op.groups} = ${count % op.groups})`,
        "groups-mismatch",
        `choose groups that divide ${count}`,
      );
    }
  }
}

function checkPoolPadding(op) {
  if (op.padding === "same") return;
  op.padding.forEach((pair, axis) => {
    const half = Math.floor(op.kernel[axis] / 2);
    if (Math.max(...pair) > half) {
      throw new ShapeError(
        `padding ${Math.max(...pair)} is more than half of the pooling kernel ${op.kernel[axis]}`,
        "pool-padding",
        `pad by ${half} at most, or pad before the pooling`,
      );
    }
  });
}

function inferConv(op, shapes) {
  const shape = onlyMap(shapes, "a convolution");
  checkGroups(op, shape);
  const out = windowGrid(shape, op);
  checkRoom(shape, op, out, "a kernel");
  return [op.filters || null, ...out];
}

// The help for a map that is too small: a window without stride ends a network.
function poolWayOut(op) {
  if (op.stride.some((s) => s !== 1)) return "";
  return op.kind === "MaxPool2d"
    ? "`global_max_pool: true` takes the maximum of a map of any size"
    : "`global_avg_pool: true` takes the mean of a map of any size";
}

function inferPool(op, shapes) {
  const shape = onlyMap(shapes, "pooling");
  checkPoolPadding(op);
  const out = windowGrid(shape, op);
  checkRoom(shape, op, out, "a pooling window", poolWayOut(op));
  return [shape[0], ...out];
}

function fixedChannels(shape, what) {
  if (!isSymbolic(shape[0])) return shape;
  throw new ShapeError(
    `${what} needs a number of channels, it receives ${tuple(shape)}`,
    "symbolic-size",
    "give the input a fixed size, or use `global_avg_pool`",
  );
}

const distinct = (dims) => dims.filter((d, i) => d !== null && !dims.slice(0, i).some((e) => sameDim(d, e)));
const agree = (dims) => distinct(dims).length <= 1;
const agreed = (dims) => dims.find((d) => d !== null) ?? null;
const axes = (shapes) => shapes[0].map((_, axis) => shapes.map((s) => s[axis]));

function equalShapes(shapes, kind) {
  if (new Set(shapes.map((s) => s.length)).size > 1 || !axes(shapes).every(agree)) {
    throw new ShapeError(`${kind} needs operands of one shape`);
  }
  return axes(shapes).map(agreed);
}

function inferConcat(op, shapes) {
  const grids = shapes.map((s) => s.slice(1));
  if (new Set(grids.map((g) => g.length)).size > 1 || !axes(grids).every(agree)) {
    throw new ShapeError("concat needs the same height and width from every operand");
  }
  return [sum(shapes.map((s) => s[0])), ...axes(grids).map(agreed)];
}

/** Operands of a multiplication: maps of 1x1 spread over the grid of the first, those of one channel over its channels. */
function spreadGates(shapes) {
  const [first] = shapes;
  return shapes.map((s) => {
    if (s.length !== 3 || first.length !== 3) return s;
    return [s[0] === 1 ? first[0] : s[0], ...(s[1] === 1 && s[2] === 1 ? first : s).slice(1)];
  });
}

function inferSubtract(op, shapes) {
  if (shapes.length !== 2) throw new ShapeError(`subtract takes two operands, it has ${shapes.length}`, "operand-count");
  return equalShapes(shapes, "subtract");
}

const inferMultiply = (op, shapes) => equalShapes(spreadGates(shapes), "multiply");

const keep = (op, shapes) => onlyInput(shapes, op.kind);

const INFER = {
  Input: (op) => op.dims,
  Conv2d: inferConv,
  MaxPool2d: inferPool,
  AvgPool2d: inferPool,
  GlobalPool2d: (op, shapes) => {
    const shape = onlyMap(shapes, "global pooling");
    return op.keepGrid ? [shape[0], 1, 1] : [shape[0]];
  },
  AdaptiveAvgPool2d: (op, shapes) => [onlyMap(shapes, "adaptive pooling")[0], ...op.size],
  Linear: (op, shapes) => {
    const shape = onlyVector(shapes, "a linear layer", "a linear layer", "put `global_avg_pool` or `flatten` before it");
    fixedChannels(shape, "a linear layer");
    return [op.features || null];
  },
  Normalize: (op, shapes) => onlyVector(shapes, "normalize", "normalize", ""),
  BatchNorm: (op, shapes) => fixedChannels(onlyInput(shapes, "batch normalisation"), "batch normalisation"),
  Flatten: (op, shapes) => [product(onlyInput(shapes, "flatten"))],
  Concat: inferConcat,
  Add: (op, shapes) => equalShapes(shapes, "add"),
  Subtract: inferSubtract,
  Multiply: inferMultiply,
  Maximum: (op, shapes) => equalShapes(shapes, "maximum"),
  Activation: keep,
  PReLU: (op, shapes) => fixedChannels(onlyInput(shapes, "PReLU"), "a PReLU"),
  Scale: keep,
  Dropout: keep,
  Softmax: keep,
  Identity: keep,
};

const inferShape = (op, shapes) => (op.traced ? inferTraced(op, shapes) : INFER[op.kind](op, shapes));

function leastGrid(op) {
  if (op.traced) return op.traced.least;
  return ["Conv2d", "MaxPool2d", "AvgPool2d"].includes(op.kind) ? leastWindow(op) : [1, 1];
}

/** Learnable elements; running statistics are not counted. Null where a size is unknown. */
function countParameters(op, shapes) {
  if (op.traced) return countTraced(op, shapes, "parameters");
  if (op.kind === "Conv2d") return product([op.filters || null, sum([weightsPerFilter(op, shapes[0][0]), Number(op.bias)])]);
  if (op.kind === "Linear") return product([op.features || null, sum([shapes[0][0], Number(op.bias)])]);
  if (op.kind === "PReLU") return op.activation === "prelu" ? shapes[0][0] : 1;
  if (op.kind === "BatchNorm") return product([Number(op.scale) + Number(op.shift), shapes[0][0]]);
  return 0;
}

/** Multiply-accumulates for one sample: convolutions and linear layers only. */
function countMacs(op, shapes, output) {
  if (op.traced) return countTraced(op, shapes, "macs");
  if (op.kind === "Linear") return product([op.features || null, shapes[0][0]]);
  if (op.kind !== "Conv2d") return 0;
  return product([op.filters || null, weightsPerFilter(op, shapes[0][0]), output[1], output[2]]);
}

const weightsPerFilter = (op, channels) => product([floorDivide(channels, 0, op.groups), ...op.kernel]);
const hasParameters = (op) => (op.traced ? op.traced.parameters.length > 0 : ["Conv2d", "Linear", "BatchNorm", "PReLU"].includes(op.kind));
