"""Words of other tools -> how a spec writes the same: they are no misspelt ones."""

from __future__ import annotations

SYNONYMS = {
    **dict.fromkeys(("out", "out_channels", "channels", "width", "num_output"), "filters"),
    **dict.fromkeys(("bn", "batchnorm", "batch_norm"), "norm"),
    **dict.fromkeys(("act", "nonlinearity"), "activation"),
    **dict.fromkeys(("s", "strides"), "stride"),
    **dict.fromkeys(("p", "pad"), "padding"),
    **dict.fromkeys(("input", "inputs"), "from"),
    **dict.fromkeys(("params", "args"), "with"),
    **dict.fromkeys(("id", "key"), "name"),
    **dict.fromkeys(("fig", "figures"), "figure"),
    **dict.fromkeys(("tab", "tables"), "table"),
    **dict.fromkeys(("sec", "chapter"), "section"),
}
"""Word -> the key with the same meaning; only where that key is allowed."""

EXPLAINED = {
    **dict.fromkeys(("in", "in_channels", "in_features"), "what a layer receives is inferred"),
    **dict.fromkeys(
        ("k", "kernel", "kernel_size", "ksize"),
        "the kernel is the value of the op itself: `{conv: 3x3, ...}`",
    ),
    **dict.fromkeys(("axis", "dim"), "a join is one of channels, always"),
    **dict.fromkeys(
        ("affine", "center"), "a batch norm has two switches, `scale: false` and `shift: false`"
    ),
}
"""Word -> how a layer writes it, without a key."""

KEYS = {
    **dict.fromkeys(
        ("args", "arguments", "parameters", "hyperparameters", "variables", "vars", "with"),
        ("params",),
    ),
    **dict.fromkeys(("include", "includes", "use", "using", "requires"), ("import",)),
    **dict.fromkeys(("inherits", "inherit", "base", "parent", "_base_", "from"), ("extends",)),
    **dict.fromkeys(("model", "net", "architecture", "arch", "name"), ("network",)),
    **dict.fromkeys(("modules", "components", "definitions"), ("blocks", "layers")),
    **dict.fromkeys(("operations", "ops", "steps", "nodes", "sequential", "sequence"), ("layers",)),
    **dict.fromkeys(("input_shape", "input_size"), ("input",)),
    **dict.fromkeys(("paths", "towers"), ("branches",)),
    **dict.fromkeys(("merge", "combine"), ("join",)),
    **dict.fromkeys(("description", "comment", "note"), ("doc",)),
}
"""Word -> keys of a spec or a block with the same meaning, where they are allowed."""

PLACED = {
    **dict.fromkeys(
        ("body", "shortcut", "scale", "activation"),
        "that belongs to a residual: `residual: {body: [...], shortcut: [...]}`",
    ),
}
"""Word -> where a block has it."""
