// One layer of a spec -> its operations: the counterpart of compiler/lower/ops.py.

const ATTRIBUTES = {
  conv(fields, inputs, lowering) {
    const channels = lowering.nodes.get(inputs[0]).shape[0];
    const groups = fields.raw("groups") === "depthwise" ? known(channels) : fields.integer("groups");
    const kernel = fields.pair("conv") ?? [1, 1];
    const dilation = fields.pair("dilation") ?? [1, 1];
    return {
      kind: "Conv2d",
      filters: fields.integer("filters") ?? 0,
      kernel,
      stride: fields.pair("stride") ?? [1, 1],
      padding: fields.padding(kernel, dilation) ?? "same",
      dilation,
      groups: groups || 1,
    };
  },
  max_pool: (fields) => windowPool("max_pool", fields),
  avg_pool: (fields) => ({ ...windowPool("avg_pool", fields), countIncludePad: fields.flag("count_include_pad") }),
  global_avg_pool: (fields) => ({ kind: "GlobalPool2d", function: "avg", keepGrid: fields.flag("keep_grid") }),
  global_max_pool: (fields) => ({ kind: "GlobalPool2d", function: "max", keepGrid: fields.flag("keep_grid") }),
  adaptive_avg_pool: (fields) => ({ kind: "AdaptiveAvgPool2d", size: fields.pair("adaptive_avg_pool") ?? [1, 1] }),
  batch_norm: (fields) => ({ kind: "BatchNorm", scale: fields.flag("scale"), shift: fields.flag("shift") }),
  linear: (fields) => ({ kind: "Linear", features: fields.integer("linear") ?? 0, bias: fields.flag("bias") }),
  dropout: (fields) => ({ kind: "Dropout", drop: dropRate(fields) }),
  drop_path: (fields) => ({ kind: "Dropout", drop: dropRate(fields), perSample: true }),
  scale: (fields) => ({ kind: "Scale", factor: fields.number("scale") ?? 1 }),
};

function windowPool(op, fields) {
  const kernel = fields.pair(op) ?? [1, 1];
  return {
    kind: WINDOW_KINDS[op],
    kernel,
    stride: fields.pair("stride") ?? [1, 1],
    padding: fields.padding(kernel) ?? "same",
    ceil: fields.flag("ceil"),
  };
}

function dropRate(fields) {
  const word = fields.layer.fields.keep === undefined ? "drop" : "keep";
  const { op } = fields.layer;
  const rate = fields.evaluate(fields.raw(word), op, `\`${word}\` of \`${op}\``);
  if (rate === null) return 0;
  const value = isNumber(rate) ? asFloat(rate) : -1;
  if (value < 0 || value > 1) {
    const message = `\`${word}\` of \`${op}\` is ${showValue(rate)}, not between 0 and 1`;
    fields.report.add({ code: "bad-value", message, at: placeOf(fields.layer, op) });
    return 0;
  }
  return word === "drop" ? value : Math.round((1 - value) * 1e12) / 1e12;
}

/** Lower a layer that is no structure: one node, or a region with its norm and activation. */
Lowering.prototype.operation = function operation(layer, path, scope, inputs, fields) {
  if (layer.traced) return this.parts(layer, path, tracedParts(layer, fields), inputs, fields);
  const { params } = scope.frame;
  if (layer.op === "conv") {
    const linear = fields.flag("linear");
    const norm = linear ? "none" : fields.word("norm", params, ["none", "batch_norm"]);
    const activation = linear ? "none" : fields.activation("activation", params);
    const op = ATTRIBUTES.conv(fields, inputs, this);
    op.bias = layer.fields.bias === undefined ? norm === "none" : fields.flag("bias");
    return this.unit(layer, path, "conv", op, norm, activation, inputs, fields);
  }
  if (layer.op === "linear") {
    const op = ATTRIBUTES.linear(fields);
    return this.unit(layer, path, "linear", op, "none", fields.activation("activation", params), inputs, fields);
  }
  const { op } = layer;
  const make = ATTRIBUTES[op] ?? (() => this.wordOp(layer, params, fields));
  return this.add(path, make(fields, inputs, this), inputs, layer.info, fields.written);
};

/** The operation of a layer that is one word: an activation, or another without attributes. */
Lowering.prototype.wordOp = function wordOp({ op, fields: written }, params, fields) {
  if (op in WORD_KINDS) return { kind: WORD_KINDS[op] };
  return activationOp(op in written ? fields.activation(op, params) : op);
};

Lowering.prototype.unit = function unit(layer, path, suffix, op, norm, activation, inputs, fields) {
  const parts = [[suffix, op]];
  if (norm === "batch_norm") parts.push(["norm", { kind: "BatchNorm", ...this.program.norm }]);
  if (activation !== "none") parts.push(["act", activationOp(activation)]);
  return this.parts(layer, path, parts, inputs, fields);
};

/** Add a layer's operations: one node, or a region of several. */
Lowering.prototype.parts = function addParts(layer, path, parts, inputs, fields) {
  if (parts.length === 1) return this.add(path, parts[0][1], inputs, layer.info, fields.written);
  this.begin(path, "layer", inputs, layer.info, { layer });
  const info = { at: layer.at, errata: layer.info.errata, cite: layer.info.cite, layer };
  let tensor = inputs;
  let { written } = fields;
  for (const [name, part] of parts) {
    tensor = [this.add(`${path}.${name}`, part, tensor, info, written)];
    written = {};
  }
  return this.end(tensor[0]);
};

/**
 * Return the graph of a program: {nodes, regions, inputs, outputs, findings}.
 * `settings` holds what the page changed: {params, inputs, fields}, the last two maps.
 */
function buildGraph(program, settings) {
  const graph = lowerNetwork(program, settings, settings.inputs);
  saySizes(program, settings, graph);
  sayKept(program, settings, graph);
  return graph;
}

function lowerNetwork(program, settings, shapes) {
  const lowering = new Lowering(program, settings.fields);
  const params = networkParameters(program, settings, lowering);
  lowering.params = params;
  const inputs = {};
  lowering.begin("", "network", [], program.info);
  for (const { name, dims, at } of program.inputs) {
    const shape = shapes.get(name) ?? dims.map((d) => (typeof d === "string" && typeof params[d] === "number" ? params[d] : d));
    lowering.add(name, { kind: "Input", dims: shape.map((d) => (typeof d === "string" ? openSize(d) : d)) }, [], { at });
    inputs[name] = name;
  }
  const [first] = Object.keys(inputs);
  const sizesHold = program.isAsDeclared && !settings.params.size && !settings.inputs.size;
  const scope = new Scope("", { params, inputs, sizesHold });
  lowering.settleNames(program.let, scope, first);
  const end = lowering.chain(program.layers, scope, first).at(-1);
  const outputs = outputsOf(program, lowering, scope, end);
  lowering.end(outputs[0].node);
  const graph = { nodes: lowering.nodes, regions: lowering.regions, inputs: Object.keys(inputs), outputs, params };
  graph.findings = lowering.report.inFileOrder();
  if (!graph.findings.length) takeOutDeadNodes(graph);
  return graph;
}

/** Take out what no output depends on; the first live layer that shares parameters owns them. */
function takeOutDeadNodes(graph) {
  const live = new Set(graph.inputs);
  const leaving = new Set(graph.outputs.map((output) => output.node));
  const read = new Set([...graph.nodes.values()].flatMap((node) => node.inputs));
  const drawn = [...graph.nodes.values()].filter((n) => n.op.kind === "Softmax" && leaving.has(n.inputs[0]) && !read.has(n.name));
  const stack = [...leaving, ...drawn.map((node) => node.name)];
  while (stack.length) {
    const name = stack.pop();
    if (live.has(name)) continue;
    live.add(name);
    stack.push(...graph.nodes.get(name).inputs);
  }
  if (live.size === graph.nodes.size) return;
  const heirs = new Map();
  for (const [name, node] of [...graph.nodes]) {
    if (!live.has(name)) graph.nodes.delete(name);
    else if (node.share && !live.has(node.share)) {
      if (!heirs.has(node.share)) heirs.set(node.share, name);
      node.share = heirs.get(node.share) === name ? null : heirs.get(node.share);
    }
  }
  const isThere = (name) => graph.nodes.has(name) || graph.regions.has(name);
  for (const [name, region] of [...graph.regions].reverse()) {
    region.members = region.members.filter(isThere);
    if (name && !region.members.length && !graph.nodes.has(region.output)) graph.regions.delete(name);
    else if (!graph.nodes.has(region.output)) region.output = graph.regions.get(region.members.at(-1))?.output ?? region.members.at(-1);
  }
}

function networkParameters(program, settings, lowering) {
  const params = {};
  for (const param of program.params) {
    params[param.name] = settings.params.has(param.name) ? settings.params.get(param.name) : lowering.defaultOf(param, params);
  }
  return params;
}

function outputsOf(program, lowering, scope, end) {
  if (!program.outputs) return [{ name: end.slice(end.lastIndexOf(".") + 1), node: end, trainingOnly: false }];
  const found = [];
  for (const item of program.outputs) {
    const fields = lowering.fields(item, scope, () => end);
    if (item.fields.when !== undefined && !fields.flag("when")) continue;
    const node = lowering.tensor(item.from, scope, end, item);
    if (found.some((o) => o.node === node || o.name === item.name)) continue;
    found.push({ name: item.name, node, trainingOnly: item.trainingOnly });
  }
  if (found.length) return found;
  const message = "no output is left: the `when` of every one is false";
  const help = "list one that is always there";
  lowering.report.add({ code: "bad-value", message, at: program.outputs[0].at, help });
  return [{ name: "output", node: end, trainingOnly: false }];
}
