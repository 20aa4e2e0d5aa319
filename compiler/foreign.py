"""Words that other tools use for what a layer says here: told from misspelt ones."""

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
}
"""Word -> the key that says the same here; it counts only where that key may stand."""

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
"""Word -> how a layer says it here, without a key."""
