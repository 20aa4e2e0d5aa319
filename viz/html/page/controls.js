// What can be changed in the page: input sizes, parameters, block arguments, repeats, widths.
// Each change has a key; the page's settings map keys to values, and the rest follows from them.

const LAYER_FIELDS = {
  conv: [["filters", "filters"], ["conv", "kernel"], ["stride", "stride"]],
  max_pool: [["max_pool", "kernel"], ["stride", "stride"]],
  avg_pool: [["avg_pool", "kernel"], ["stride", "stride"]],
  linear: [["linear", "width"]],
  scale: [["scale", "factor"]],
};
const IS_PAIR = ["conv", "max_pool", "avg_pool", "stride"];

const emptySettings = () => ({ params: new Map(), inputs: new Map(), fields: new Map() });
const mostFor = (value) => Math.max(8, 2 * (Number(value) || 0));
const stepFor = (type) => (type === "number" ? 0.01 : 1);

/** Read what a user typed: a whole number, an exact fraction, or null while it is none. */
function readNumber(text, type) {
  if (!/^-?\d+(\.\d+)?$/.test(text.trim())) return null;
  const value = text.trim().startsWith("-") ? negative(parseNumber(text.trim().slice(1))) : parseNumber(text.trim());
  return type === "number" || typeof value === "number" ? value : null;
}

const negative = (value) => (isFraction(value) ? { n: -value.n, d: value.d } : -value);

/** Controls for one typed parameter; `target` says where its value is kept and how it is shown. */
function paramControl(app, param, id, target) {
  const common = {
    id,
    label: param.name,
    hint: [param.doc, citeText(param.cite)].filter(Boolean).join(" \u00b7 "),
    reset: () => app.change(target, undefined),
  };
  if (["channels", "int", "number"].includes(param.type)) {
    const first = app.valueOf(target);
    const most = param.type === "number" ? Math.max(1, 2 * asFloat(first ?? 0)) : mostFor(first);
    const least = param.type === "channels" ? 1 : 0;
    return numberControl({ ...common, least, most, step: stepFor(param.type), change: (text) => {
      const value = readNumber(text, param.type);
      if (value !== null) app.change(target, value);
    } });
  }
  if (param.type === "list") {
    const pattern = String.raw`\[ *-?\d+(\.\d+)?( *, *-?\d+(\.\d+)?)* *\]`;
    const show = (entries) => `[${entries.map(showValue).join(", ")}]`;
    return wordControl({ ...common, pattern, show, change: (text) => app.change(target, listOf(text)) });
  }
  const words = { bool: ["true", "false"], padding: ["same", "valid", "half"], activation: [...ACTIVATION_WORDS] }[param.type];
  const now = app.valueOf(target);
  if (param.type === "activation" && !words.includes(now)) words.push(now); // one with an argument
  const pattern = param.type === "kernel" ? "[1-9][0-9]*x[1-9][0-9]*" : null;
  return wordControl({ ...common, words, pattern, change: (text) => app.change(target, wordValue(param.type, text)) });
}

const listOf = (text) => text.match(/-?\d+(\.\d+)?/g).map((number) => readNumber(number, "number"));

function wordValue(type, text) {
  if (type === "bool") return text === "true";
  return type === "kernel" ? text.split("x").map(Number) : text;
}

/** Take a whole number that a user typed; what is none, or out of bounds, changes nothing. */
function changeNumber(app, target, text, least) {
  const value = readNumber(text, "int");
  if (value !== null && value >= least && value <= 1_000_000) app.change(target, value);
}

/** Controls for an input: channels, height and width, and one slider for both of the latter. */
function inputControls(app, input) {
  const names = ["channels", "height", "width"];
  const dims = app.graph.nodes.get(input.name).shape;
  const controls = dims.map((dim, axis) => {
    const target = { kind: "input", name: input.name, axis };
    return [target, numberControl({
      id: `input-${input.name}-${names[axis]}`,
      label: names[axis],
      least: 1,
      most: mostFor(dim),
      change: (text) => changeNumber(app, target, text, 1),
      reset: () => app.change(target, undefined),
    })];
  });
  if (dims.length !== 3) return controls;
  const both = { kind: "input", name: input.name, axis: "both" };
  controls.splice(1, 0, [both, numberControl({
    id: `input-${input.name}-size`,
    label: "height = width",
    least: 1,
    most: mostFor(dims[1]),
    change: (text) => changeNumber(app, both, text, 1),
    reset: () => app.change(both, undefined),
  })]);
  return controls;
}

/** The layers that are worth a control of their own: instances of blocks, and repeats. */
function* adjustableLayers(program, layers = program.layers, seen = new Set()) {
  for (const layer of layers) {
    const block = program.blocks[layer.block];
    if (layer.fields.repeat !== undefined || (block?.params.length && !layer.loop)) yield layer;
    for (const [, chain] of layer.branches ?? []) yield* adjustableLayers(program, chain, seen);
    for (const chain of [layer.layers, layer.body, layer.shortcut]) if (chain) yield* adjustableLayers(program, chain, seen);
    if (block && !seen.has(layer.block)) {
      seen.add(layer.block);
      yield* adjustableLayers(program, block.layers, seen);
    }
  }
}

/** The title of a layer; with its name where several layers have the same one. */
function titleOf(program, layer, all) {
  const title = (l) => l.info.title ?? program.blocks[l.block]?.title ?? l.name ?? l.op;
  const isAlone = all.filter((other) => title(other) === title(layer)).length === 1;
  return isAlone || !layer.name ? title(layer) : `${title(layer)} (${layer.name})`;
}

function layerControls(app, layer) {
  const controls = [];
  if (layer.fields.repeat !== undefined) {
    const target = { kind: "field", layer, field: "repeat" };
    controls.push([target, numberControl({
      id: `layer-${layer.id}-repeat`,
      label: "repeat",
      least: 0,
      most: mostFor(app.valueOf(target)),
      change: (text) => changeNumber(app, target, text, 0),
      reset: () => app.change(target, undefined),
    })]);
  }
  for (const param of (!layer.loop && app.program.blocks[layer.block]?.params) || []) {
    const target = { kind: "field", layer, field: `with.${param.name}`, param };
    controls.push([target, paramControl(app, param, `layer-${layer.id}-${param.name}`, target)]);
  }
  return controls;
}

/** Controls for the numbers that stand in one layer; they hold for every copy of its block. */
function fieldControls(app, layer) {
  return (LAYER_FIELDS[layer.op] ?? []).map(([field, label]) => {
    const target = { kind: "field", layer, field };
    const raw = layer.fields[field];
    const common = { id: `field-${layer.id}-${field}`, label, reset: () => app.change(target, undefined) };
    const hint = isExpr(raw) ? `written as ${raw.x}` : null;
    if (IS_PAIR.includes(field)) {
      const change = (text) => app.change(target, text.split("x").map(Number));
      return [target, wordControl({ ...common, hint, pattern: "[1-9][0-9]*x[1-9][0-9]*", change })];
    }
    const type = field === "scale" ? "number" : "int";
    const change = (text) => { const value = readNumber(text, type); if (value !== null) app.change(target, value); };
    return [target, numberControl({ ...common, hint, least: 0, most: mostFor(app.valueOf(target)), step: stepFor(type), change })];
  });
}
