// The words in a box, as compiler/facts/labels.py has them, and what kind of box it is.

const ACTIVATIONS = {
  relu: "Relu",
  relu6: "ReLU6",
  leaky_relu: "Leaky ReLU",
  elu: "ELU",
  gelu: "GELU",
  silu: "SiLU",
  sigmoid: "Sigmoid",
  tanh: "Tanh",
  softplus: "Softplus",
  hard_sigmoid: "Hard sigmoid",
  hard_swish: "Hard swish",
  mish: "Mish",
  prelu: "PReLU",
};

/** Arguments that are numbers, by default. */
const ARGUMENTS = { leaky_relu: 0.01, elu: 1 };

/** An activation and its argument as one text, as `spelled` in compiler/ops/activation.py. */
const spelled = (word, argument) => (argument === ARGUMENTS[word] ? word : `{${word}: ${argument}}`);

/** The operation of an activation that is one text: `relu`, `{leaky_relu: 0.1}`, `{prelu: one}`. */
const activationOp = (activation) => ({ kind: /^{?prelu/.test(activation) ? "PReLU" : "Activation", activation });

/** The word of a figure for an activation, and the details for the brackets behind it. */
function activationWords(text) {
  const [word, argument] = text.replace(/[{}]/g, "").split(": ");
  if (argument === undefined) return [ACTIVATIONS[word], []];
  if (word === "prelu") return [ACTIVATIONS[word], ["one slope"]];
  return [ACTIVATIONS[word], [word in ARGUMENTS ? shortNumber(Number(argument)) : argument]];
}

function activationLabel(text) {
  const [word, details] = activationWords(text);
  return [word, ...details].join(" ");
}

function activationBox({ activation }) {
  const [word, details] = activationWords(activation);
  return [`${word} activation`, details];
}

const BOX_KINDS = {
  Input: "input",
  Conv2d: "conv",
  MaxPool2d: "pool",
  AvgPool2d: "pool",
  GlobalPool2d: "final_pool",
  AdaptiveAvgPool2d: "final_pool",
  BatchNorm: "norm",
  Activation: "activation",
  PReLU: "activation",
  Scale: "scale",
  Dropout: "dropout",
  Softmax: "softmax",
  Identity: "reshape",
  Normalize: "norm",
  Linear: "linear",
  Flatten: "reshape",
  Concat: "concat",
  Add: "add",
  Subtract: "add",
  Multiply: "add",
  Maximum: "add",
};

const pairText = (pair) => pair.join("x");
const squareText = (pair) => (pair[0] === pair[1] ? String(pair[0]) : pairText(pair));
const shortNumber = (number) => String(Number(number.toPrecision(6)));

function strideWords(op) {
  return op.stride[0] === 1 && op.stride[1] === 1 ? [] : [`stride ${squareText(op.stride)}`];
}

function paddingWords(op) {
  const text = paddingText(op.padding);
  if (text === "same") return [];
  return [text === "V" ? "V" : `pad ${text}`];
}

function poolWords(op, word, counted) {
  const details = [...strideWords(op), ...paddingWords(op), ...(op.ceil ? ["ceil"] : []), ...counted];
  return [`${pairText(op.kernel)} ${word}`, details];
}

function convWords(op) {
  const details = [op.filters ? String(op.filters) : "?", ...strideWords(op)];
  if (op.dilation[0] !== 1 || op.dilation[1] !== 1) details.push(`dilation ${squareText(op.dilation)}`);
  if (op.groups !== 1) details.push(`groups ${op.groups}`);
  return [`${pairText(op.kernel)} Conv`, [...details, ...paddingWords(op)]];
}

const isValid = (op) => op.padding !== "same" && op.padding.flat().every((p) => p === 0);

const WORDS = {
  Conv2d: convWords,
  MaxPool2d: (op) => poolWords(op, "MaxPool", []),
  AvgPool2d: (op) => poolWords(op, "AvgPool", op.countIncludePad && !isValid(op) ? ["padding counted"] : []),
  GlobalPool2d: (op) => [op.function === "avg" ? "Average Pooling" : "Max Pooling", op.keepGrid ? ["1x1"] : []],
  AdaptiveAvgPool2d: (op) => ["Average Pooling", [`to ${pairText(op.size)}`]],
  BatchNorm: (op) => ["Batch norm", ["scale", "shift"].filter((w) => !op[w]).map((w) => `no ${w}`)],
  Activation: activationBox,
  PReLU: activationBox,
  Scale: (op) => ["Activation Scaling", [shortNumber(op.factor)]],
  Dropout: (op) => [op.perSample ? "Drop path" : "Dropout", [`keep ${shortNumber(Math.round((1 - op.drop) * 1e12) / 1e12)}`]],
  Softmax: () => ["Softmax", []],
  Identity: () => ["Identity", []],
  Normalize: () => ["L2 normalization", []],
  Linear: (op) => ["Fully connected", [op.features ? String(op.features) : "?", ...(op.bias ? [] : ["no bias"])]],
  Flatten: () => ["Flatten", []],
  Concat: () => ["Filter concat", []],
  Add: () => ["+", []],
  Subtract: () => ["-", []],
  Multiply: () => ["\u00d7", []],
  Maximum: () => ["Maximum", []],
  Input: (op) => ["Input", [paper(op.dims)]],
};

const wordsOf = (op) => (op.traced ? [op.traced.words[0], [...op.traced.words[1]]] : WORDS[op.kind](op));
const boxKind = (op) => op.traced?.box ?? BOX_KINDS[op.kind];

/** Whether a layer has a norm, and its activation: what goes with its convolution. */
function companyOf(nodes) {
  const act = nodes.find((n) => ["Activation", "PReLU"].includes(n.op.kind));
  return { norm: nodes.some((n) => n.op.kind === "BatchNorm"), activation: act ? act.op.activation : null };
}

/** What follows most convolutions of a network: it goes without saying in a label. */
function conventionOf(graph) {
  const layers = [...graph.regions.values()].filter((r) => r.kind === "layer").map((r) => r.members);
  const inside = new Set(layers.flat());
  for (const name of graph.nodes.keys()) if (!inside.has(name)) layers.push([name]);
  const counts = new Map();
  for (const members of layers) {
    const nodes = members.map((m) => graph.nodes.get(m));
    if (!nodes.some((n) => n.op.kind === "Conv2d")) continue;
    const key = JSON.stringify(companyOf(nodes));
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const best = [...counts].reduce((a, b) => (b[1] > a[1] ? b : a), [JSON.stringify({ norm: true, activation: "relu" }), 0]);
  return JSON.parse(best[0]);
}

/** What sets a convolution apart: `Linear` is the paper's word for no activation. */
function aroundWords(op, company, usual) {
  const out = [];
  if (company.activation !== usual.activation) {
    if (company.activation !== null) out.push(activationLabel(company.activation));
    else out.push(company.norm ? "no activation" : "Linear");
  } else if (company.norm !== usual.norm) {
    out.push(company.norm ? "batch norm" : "no norm");
  }
  if (op.bias === company.norm) out.push(op.bias ? "bias" : "no bias");
  return out;
}

/** The words for one layer: its first operation, and what is unusual around it. */
function layerLabel(nodes, usual) {
  const head = nodes.find((n) => n.op.kind === "Conv2d" || n.op.kind === "Linear") ?? nodes[0];
  const company = companyOf(nodes);
  const [words, details] = wordsOf(head.op);
  if (head.op.kind === "Conv2d") details.push(...aroundWords(head.op, company, usual));
  else if (company.activation && head !== nodes.at(-1)) details.push(activationLabel(company.activation));
  return details.length ? `${words} (${details.join(" ")})` : words;
}

/** The paper has a colour for each of its kinds of block. */
function blockKind(definition, title) {
  const words = `${definition} ${title}`.toLowerCase();
  return ["stem", "reduction", "inception"].find((kind) => words.includes(kind)) ?? "block";
}

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu;

/** Text in which every character can be seen: controls and bidi marks become escapes. */
function visible(text) {
  return text.replace(/\t/g, " ").replace(HIDDEN, (char) => {
    const code = char.codePointAt(0).toString(16);
    return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
}
