// Instances of blocks, stated sizes, shared parameters: the second half of the lowering.

Object.assign(Lowering.prototype, {
  // -- blocks --------------------------------------------------------------------------------

  block(layer, path, inputs, fields) {
    const handed = fields.lookup(layer.block); // where it is a parameter of type block
    const block = this.program.blocks[typeof handed === "string" ? handed : layer.block];
    if (!block) return this.unknown(path, inputs.slice(0, 1), layer.info);
    const params = this.parameters(block.params, layer, fields);
    const bound = {};
    block.inputs.forEach((name, i) => {
      bound[name] = inputs[layer.fromNames ? layer.fromNames.indexOf(name) : Math.min(i, inputs.length - 1)] ?? inputs[0];
    });
    const info = { ...layer.info, title: layer.info.title ?? block.title };
    this.begin(path, "block", inputs, info, { definition: block.name, layer, params, written: fields.written });
    const [first] = Object.values(bound);
    const frame = { params: { ...params }, inputs: bound, sizesHold: paper(this.nodes.get(first).shape) === block.inputSize };
    const scope = new Scope(`${path}.`, frame);
    this.settleNames(block.let, scope, first);
    return this.end(this.chain(block.layers, scope, first).at(-1));
  },

  /** Give the names of a `let` their values, in order, as parameters have theirs. */
  settleNames(names, scope, first) {
    for (const named of names) {
      const fields = this.fields(named, scope, () => first);
      scope.frame.params[named.name] = fields.settle(named.fields[named.name], named.name);
    }
  },

  /** A value for each parameter of a block's instance; `layer` and `fields` are its own. */
  parameters(declared, layer, fields) {
    const out = {};
    for (const param of declared) {
      const key = `with.${param.name}`;
      const given = fields.raw(key);
      if (param.type === "broken") out[param.name] = null;
      else out[param.name] = given === null ? this.defaultOf(param, out) : this.argument(param, key, given, layer, fields);
    }
    return out;
  },

  argument(param, key, given, layer, fields) {
    const whose = `\`${param.name}\` of block \`${layer.block}\``;
    const value = fields.settle(given, key, whose);
    if (value === null) return null;
    const [coerced, complaint] = coerce(param.type, value);
    if (complaint) {
      const written = isExpr(given) && given.x !== showValue(value) ? `${given.x} = ` : "";
      const message = `${whose} = ${written}${showValue(value)} ${complaint}; it is of type ${param.type}`;
      this.report.add({ code: "bad-value", message, at: placeOf(layer, key) });
    }
    return coerced;
  },

  /** The default of a parameter; it may be a formula over the ones before it. */
  defaultOf(param, known) {
    if (!isExpr(param.default) && !param.default?.called && !Array.isArray(param.default)) return param.default;
    const layer = { id: `param.${param.name}`, what: `parameter \`${param.name}\``, fields: { default: param.default }, at: param.at };
    const fields = new Fields(layer, (name) => known[name], this.report, this.overrides);
    const value = fields.settle(param.default, "default");
    return value === null ? null : coerce(param.type, value)[0];
  },

  // -- sizes and sharing ---------------------------------------------------------------------

  /** Compare a printed size with the computed one, or fall back on it after an error. */
  checkSize(layer, tensor, scope) {
    if (!layer.info.size || !scope.frame.sizesHold) return;
    const node = this.nodes.get(tensor);
    if (node.shape.includes(null)) {
      const numbers = layer.info.size.split("x").map(Number);
      node.shape = [numbers.at(-1), ...numbers.slice(0, -1)];
      node.isStated = true;
    } else if (isKnown(node.shape) && paper(node.shape) !== layer.info.size) {
      const message = `\`${tensor}\` gives ${paper(node.shape)}, the size that is stated is ${layer.info.size}`;
      const help = "correct the layers, or the stated size";
      this.report.add({ code: "wrong-size", message, at: placeOf(layer, "size"), help });
    }
  },

  shareParameters(layer, path, scope, before) {
    const [head, ...rest] = layer.share.split(".");
    const owner = scope.find(head) && [scope.find(head).path, ...rest].join(".");
    if (!owner || owner === path) return;
    for (const [name, node] of this.nodes) {
      if (before.has(name) || !hasParameters(node.op)) continue;
      const twin = this.nodes.get(owner + name.slice(path.length));
      const why = this.whyNotShared(node, twin, owner + name.slice(path.length));
      if (why) {
        const message = `\`${name}\` cannot use the parameters of \`${owner + name.slice(path.length)}\`: ${why}`;
        const help = "layers that share parameters have the same op, attributes and input channels";
        this.report.add({ code: "share-mismatch", message, at: placeOf(layer, "share"), help });
        return;
      }
      node.share = twin.share ?? twin.name;
    }
  },

  /** Why a node cannot use the parameters of another; nothing where it can. */
  whyNotShared(node, twin, twinName) {
    if (!twin) return this.regions.has(twinName) ? "that holds several layers" : `there is no layer \`${twinName}\``;
    const [ours, theirs] = [node.op, twin.op];
    if (ours.kind !== theirs.kind) return `it is a ${ours.kind}, not a ${theirs.kind}`;
    const differ = (key) => JSON.stringify(ours[key]) !== JSON.stringify(theirs[key]);
    const shown = (key, value) => (key === "padding" ? paddingText(value) : Array.isArray(value) ? value.join("x") : String(value));
    const different = ours.traced && differ("traced") ? ["attributes"] : Object.keys(ours).filter(differ);
    if (different.length) {
      return different.map((key) => `\`${SHARED_KEYS[key] ?? key}\` is ${shown(key, ours[key])}, not ${shown(key, theirs[key])}`).join("; ");
    }
    const [receives, has] = [node, twin].map((n) => n.inputs.map((i) => this.nodes.get(i).shape[0]));
    return JSON.stringify(receives) === JSON.stringify(has) ? "" : `it receives ${receives.map(String).join(", ")} channels, not ${has.map(String).join(", ")}`;
  },
});

/** Attribute -> its key in a spec, where that is another word. */
const SHARED_KEYS = { kernel: "conv", features: "linear" };
