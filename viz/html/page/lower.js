// Program -> graph: blocks are expanded, shapes and counts computed. The counterpart of
// compiler/lower/lower.py and compiler/lower/builder.py; every node and region has the compiler's name.

const MAX_NODES = 50_000;
const ACTIVATION_WORDS = ["none", ...Object.keys(ACTIVATIONS)];
const JOIN_KINDS = { concat: "Concat", add: "Add", subtract: "Subtract", multiply: "Multiply", maximum: "Maximum" };
const WINDOW_KINDS = { max_pool: "MaxPool2d", avg_pool: "AvgPool2d" };
const WORD_KINDS = { softmax: "Softmax", flatten: "Flatten", normalize: "Normalize", identity: "Identity" };
const SIZES = ["channels", "height", "width"];

class TooLarge extends Error {}

/** A list of layers under one path prefix; `frame` is the block's instance that it stands in. */
class Scope {
  constructor(prefix, frame, parent = null, variables = parent ? parent.variables : {}) {
    Object.assign(this, { prefix, frame, parent, variables, names: new Map(), ordinals: new Map() });
  }

  child(prefix, variables = this.variables) {
    return new Scope(prefix, this.frame, this, variables);
  }

  automatic(base) {
    for (;;) {
      const count = (this.ordinals.get(base) ?? 0) + 1;
      this.ordinals.set(base, count);
      const name = count === 1 ? base : `${base}_${count}`;
      if (!this.names.has(name)) return name;
    }
  }

  find(name) {
    for (let scope = this; scope; scope = scope.parent) {
      if (scope.names.has(name)) return scope.names.get(name);
    }
    return null;
  }
}

class Lowering {
  constructor(program, overrides) {
    Object.assign(this, { program, overrides, report: new Report() });
    this.nodes = new Map();
    this.regions = new Map();
    this.open = [];
    this.smallGrids = new Set();
    this.leftOut = new Map();
  }

  // -- the graph under construction ----------------------------------------------------------

  add(name, op, inputs, info, written = {}) {
    const operands = inputs.map((i) => this.nodes.get(i));
    const shapes = operands.map((o) => o.shape);
    const node = { name, op, inputs, info, written, shape: null, share: null, parent: this.open.at(-1)?.name ?? null };
    try {
      node.shape = inferShape(op, shapes);
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      const finding = blame(error, node, operands, this.nodes, this.program.errata);
      if (!this.isEcho(error, shapes)) this.report.add(finding);
      Object.assign(node, { shape: recover(op, shapes), failed: true, unfit: finding.operands });
    }
    if (this.nodes.size >= MAX_NODES) throw new TooLarge(`more than ${MAX_NODES.toLocaleString("en-US")} operations`);
    this.nodes.set(name, node);
    this.open.at(-1)?.members.push(name);
    return name;
  }

  /** True for what follows from an error that is already reported. */
  isEcho(error, shapes) {
    if (shapes.some((s) => s.every((d) => d === null))) return true;
    if (error.code !== "empty-output") return false;
    const grid = showSizes(shapes[0].slice(1));
    const isKnownToBeSmall = this.smallGrids.has(grid);
    this.smallGrids.add(grid);
    return isKnownToBeSmall;
  }

  begin(name, kind, inputs, info, more = {}) {
    const region = { name, kind, inputs, info, members: [], parent: this.open.at(-1)?.name ?? null, output: null, ...more };
    this.open.at(-1)?.members.push(name);
    this.regions.set(name, region);
    this.open.push(region);
  }

  end(output) {
    this.open.pop().output = output;
    return output;
  }

  // -- lists of layers -----------------------------------------------------------------------

  /** Lower a list of layers and return what leaves it: one tensor, or a split's ends. */
  chain(layers, scope, incoming) {
    const names = layers.map((layer) => this.declare(layer, scope));
    const outputs = [];
    for (const i of loweringOrder(layers)) {
      const before = i === 0 ? incoming : (outputs[i - 1] ?? [incoming]).at(-1);
      const { isInCircle, info } = layers[i];
      outputs[i] = isInCircle ? [this.unknown(scope.prefix + names[i], [before], info)] : this.layer(layers[i], names[i], scope, before);
      const named = scope.names.get(names[i]);
      named.tensor = named.isLeftOut ? null : outputs[i].at(-1);
    }
    return layers.length ? outputs[layers.length - 1] : [incoming];
  }

  declare(layer, scope) {
    const base = layer.name ?? this.automaticName(layer);
    let name = layer.name ?? (base !== null && layer.op === "block" ? base : scope.automatic(base ?? layer.op));
    if (scope.names.has(name)) name = scope.automatic(name);
    scope.names.set(name, { path: scope.prefix + name, tensor: null });
    return name;
  }

  /** The name that a layer gets when it is given none; a kernel is part of it. */
  automaticName(layer) {
    const kernel = this.overrides.get(`${layer.id}.${layer.op}`);
    return Array.isArray(kernel) && layer.auto !== layer.op ? `${layer.op}_${kernel.join("x")}` : layer.auto;
  }

  fields(layer, scope, before) {
    const network = scope.frame.params === this.params ? null : this.params;
    return new Fields(layer, (name) => this.lookUp(name, scope, before), this.report, this.overrides, network);
  }

  layer(layer, name, scope, before) {
    let read = null;
    const entering = () => (read ??= this.operands(layer, scope, before));
    const fields = this.fields(layer, scope, () => entering()[0]);
    if (layer.fields.when !== undefined && !fields.flag("when")) {
      scope.names.get(name).isLeftOut = true;
      const { when } = layer.fields;
      this.leftOut.set(scope.prefix + name, isExpr(when) ? when.x : String(when));
      return [before];
    }
    const inputs = entering();
    const path = scope.prefix + name;
    if (layer.op === "split") return this.branches(layer, path, scope, inputs[0])[1];
    if (layer.fields.repeat === undefined && !layer.loop) return [this.one(layer, path, scope, inputs, fields)];
    return [this.repeat(layer, path, scope, inputs, fields)];
  }

  repeat(layer, path, scope, inputs, fields) {
    const loop = (layer.loop ?? []).map(([name, values]) => [name, fields.evaluate(values, "for") ?? []]);
    const count = loop.length ? Math.min(...loop.map(([, values]) => values.length)) : fields.integer("repeat", 0) ?? 1;
    this.begin(path, "repeat", inputs, layer.info, { layer });
    let tensor = inputs[0];
    for (let index = 0; index < count; index += 1) {
      const here = Object.fromEntries(loop.map(([name, values]) => [name, fields.settle(values[index], "for")]));
      const inner = scope.child(scope.prefix, { ...scope.variables, ...here, index });
      inner.names = scope.names;
      inner.ordinals = scope.ordinals;
      const values = this.fields(layer, inner, ((entered) => () => entered)(tensor));
      tensor = this.one(layer, `${path}.${index}`, inner, [tensor, ...inputs.slice(1)], values);
    }
    return this.end(tensor);
  }

  one(layer, path, scope, inputs, fields) {
    const before = new Set(layer.share ? this.nodes.keys() : []);
    const tensor = this.plain(layer, path, scope, inputs, fields);
    if (layer.share) this.shareParameters(layer, path, scope, before);
    this.checkSize(layer, tensor, scope);
    return tensor;
  }

  plain(layer, path, scope, inputs, fields) {
    switch (layer.op) {
      case "block": return this.block(layer, path, inputs, fields);
      case "branches": return this.branches(layer, path, scope, inputs[0])[0];
      case "residual": return this.residual(layer, path, scope, inputs[0], fields);
      case "layers": return this.sequence(layer, path, scope, inputs[0]);
      case "broken": return this.unknown(path, inputs.slice(0, 1), layer.info);
      default:
        if (layer.op in JOIN_KINDS) return this.add(path, { kind: JOIN_KINDS[layer.op] }, inputs, layer.info);
        return this.operation(layer, path, scope, inputs, fields);
    }
  }

  unknown(path, inputs, info) {
    this.add(path, { kind: "Identity" }, inputs, info);
    this.nodes.get(path).shape = [null, null, null];
    return path;
  }

  // -- operands ------------------------------------------------------------------------------

  operands(layer, scope, before) {
    const refs = layer.from ?? null;
    if (refs === null || !refs.length) return [before];
    const found = refs.map((ref) => this.tensor(ref, scope, before, layer));
    return layer.op in JOIN_KINDS || layer.op === "block" || layer.traced ? found : found.slice(0, 1);
  }

  /** `a or b` means b where a `when` leaves a out. */
  tensor(written, scope, before, layer) {
    const names = written.trim().split(/\s+or\s+/);
    const ref = names.find((name) => !this.whyLeftOut(name, scope)) ?? names.at(-1);
    const message = this.whyLeftOut(ref, scope);
    if (message) {
      const help = `say what stands in for it: \`${ref} or NAME\`; or give this the same \`when\``;
      this.report.add({ code: "left-out", message, at: placeOf(layer, "from"), help });
      return this.noTensor(before);
    }
    const [head, ...rest] = ref.split(".");
    if (!rest.length && head === "in") return Object.values(scope.frame.inputs)[0];
    if (!rest.length && head === "prev") return before;
    const named = scope.find(head);
    let found = rest.length ? null : scope.frame.inputs[head];
    if (named) found = rest.length ? this.inside([named.path, ...rest].join(".")) : named.tensor;
    return found ?? this.noTensor(before);
  }

  /** The sentence about a layer that its condition leaves out, nothing where it is there. */
  whyLeftOut(name, scope) {
    const [head, ...rest] = name.split(".");
    const path = scope.find(head)?.path;
    const paths = [path, ...rest.map((_, i) => [path, ...rest.slice(0, i + 1)].join("."))];
    const found = paths.find((each) => this.leftOut.has(each));
    return found ? `\`${name}\` is left out here: its \`when: ${this.leftOut.get(found)}\` is false` : "";
  }

  /** A node of which nothing is known, for a reference to what is not there. */
  noTensor(before) {
    let number = 1;
    while (this.nodes.has(`unknown_${number}`)) number += 1;
    return this.unknown(`unknown_${number}`, [before], { at: [0, 0, 0] });
  }

  inside(path) {
    return this.regions.get(path)?.output ?? (this.nodes.has(path) ? path : null);
  }

  lookUp(name, scope, before) {
    const { params } = scope.frame;
    if (Object.hasOwn(params, name)) return params[name];
    if (Object.hasOwn(scope.variables, name)) return scope.variables[name];
    const cut = name.lastIndexOf(".");
    const place = SIZES.indexOf(name.slice(cut + 1));
    const why = cut > 0 && place >= 0 ? this.whyLeftOut(name.slice(0, cut), scope) : "";
    if (why) throw Object.assign(new ExprError(`unknown name \`${name}\``), { help: why });
    const node = cut > 0 && place >= 0 ? this.named(name.slice(0, cut), scope, before) : null;
    const dim = node ? this.nodes.get(node).shape[place] : undefined;
    return isSymbolic(dim) ? undefined : dim;
  }

  named(head, scope, before) {
    if (head === "prev") return before();
    if (head === "in") return Object.values(scope.frame.inputs)[0];
    return scope.frame.inputs[head] ?? scope.find(head)?.tensor ?? null;
  }

  // -- structure -----------------------------------------------------------------------------

  sequence(layer, path, scope, incoming) {
    this.begin(path, "chain", [incoming], layer.info, { transparent: isTransparent(layer) });
    const inner = isTransparent(layer) ? scope : scope.child(`${path}.`);
    return this.end(this.chain(layer.layers, inner, incoming).at(-1));
  }

  branches(layer, path, scope, incoming) {
    const transparent = layer.op === "split" ? layer.name === null : isTransparent(layer);
    this.begin(path, "branches", [incoming], layer.info, { transparent });
    const inner = transparent ? scope : scope.child(`${path}.`);
    const ends = layer.branches.flatMap(([name, layers]) => this.branch(name, layers, layer, inner, incoming));
    if (layer.op === "split") return [this.end(ends.at(-1) ?? incoming), ends.length ? ends : [incoming]];
    const info = { ...layer.info, at: placeOf(layer, "join"), title: null };
    const join = this.place(inner, layer.join, { kind: JOIN_KINDS[layer.join] }, ends.length ? ends : [incoming], info);
    return [this.end(join), [join]];
  }

  branch(name, layers, layer, scope, incoming) {
    const path = scope.prefix + name;
    scope.names.set(name, { path, tensor: null });
    this.begin(path, "branch", [incoming], { at: layer.at });
    const ends = this.chain(layers, scope.child(`${path}.`), incoming);
    this.end(ends.at(-1));
    scope.names.get(name).tensor = ends.at(-1);
    return ends;
  }

  /** Shortcut + scale * body, then the activation (Figures 10 and 20). */
  residual(layer, path, scope, incoming, fields) {
    const transparent = isTransparent(layer);
    this.begin(path, "residual", [incoming], layer.info, { transparent });
    const inner = transparent ? scope : scope.child(`${path}.`);
    let body = this.part("body", layer.body, inner, incoming, layer, true);
    const shortcut = this.part("shortcut", layer.shortcut, inner, incoming, layer, false);
    const info = { at: layer.at };
    if (layer.fields.scale !== undefined) {
      const factor = fields.number("scale") ?? 1;
      body = this.place(inner, "scale", { kind: "Scale", factor }, [body], { ...info, layer }, fields.written);
    }
    const join = { ...layer.info, at: placeOf(layer, "residual"), title: null, label: null, drawn: true, errata: [] };
    const activation = fields.activation("activation", scope.frame.params);
    const out = this.place(inner, "add", { kind: "Add" }, [shortcut, body], join);
    if (activation === "none") return this.end(out);
    return this.end(this.place(inner, "act", activationOp(activation), [out], info));
  }

  part(name, layers, scope, incoming, layer, transparent) {
    const local = scope.automatic(name);
    const path = scope.prefix + local;
    const named = { path, tensor: null };
    scope.names.set(local, named);
    this.begin(path, "branch", [incoming], { at: layer.at }, { transparent });
    named.tensor = this.end(this.chain(layers, transparent ? scope : scope.child(`${path}.`), incoming).at(-1));
    return named.tensor;
  }

  place(scope, base, op, inputs, info, written = {}) {
    const name = scope.automatic(base);
    const named = { path: scope.prefix + name, tensor: null };
    scope.names.set(name, named);
    named.tensor = this.add(named.path, op, inputs, info, written);
    return named.tensor;
  }
}

const isTransparent = (layer) => layer.name === null && layer.fields.repeat === undefined && !layer.loop;

/** The order in which a list's layers are lowered; a layer says its turn where it is not its place. */
function loweringOrder(layers) {
  const turn = (i) => layers[i].turn ?? i;
  return [...layers.keys()].sort((a, b) => turn(a) - turn(b));
}
