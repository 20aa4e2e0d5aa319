"""One layer of the spec -> its operations. The border between sugar and strict attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from compiler.errors import Diagnostic, Report
from compiler.graph import Info
from compiler.ops import (
    ACTIVATIONS,
    Activation,
    AdaptiveAvgPool2d,
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Conv2d,
    Dropout,
    Flatten,
    GlobalPool2d,
    Identity,
    Linear,
    MaxPool2d,
    Multiply,
    Normalize,
    Op,
    Scale,
    Softmax,
    Upsample,
)
from compiler.spec import (
    ACTIVATION_WORDS,
    NORM_WORDS,
    ConvLayer,
    Defaults,
    DropoutLayer,
    Layer,
    LinearLayer,
    Values,
    Written,
)
from compiler.text import show_value

if TYPE_CHECKING:
    from compiler.lower.builder import Builder

JOINS: dict[str, type[Op]] = {"concat": Concat, "add": Add, "multiply": Multiply}


@dataclass(slots=True)
class Task:
    """A layer to be lowered: what it says, where it goes, what enters it."""

    layer: Layer
    path: str
    inputs: tuple[str, ...]
    info: Info
    values: Values
    builder: Builder
    norm: BatchNorm
    """The network's default batch norm."""

    def add(self, suffix: str, op: Op, inputs: tuple[str, ...], whole: bool) -> str:
        """Add a node: the layer's own name where it is the whole layer, else with a suffix."""
        if whole:
            path, info = self.path, self.info
        else:
            path = f"{self.path}.{suffix}"
            info = Info(span=self.info.span, errata=self.info.errata, cite=self.info.cite)
        values = self.values
        return self.builder.add(path, op, inputs, info, values.exprs, written=values.texts)


def lower_conv(task: Task) -> str:
    """Convolution, then norm and activation as the layer or the network's defaults say."""
    values, layer = task.values, task.layer
    assert isinstance(layer, ConvLayer)
    linear = values.flag("linear")
    norm = "none" if linear else values.word("norm", NORM_WORDS)
    function = "none" if linear else values.word("activation", ACTIVATION_WORDS)
    depthwise = values.raw("groups") == "depthwise"
    groups = _depthwise(task) if depthwise else values.integer("groups", "groups")
    if depthwise:
        values.texts["groups"] = "depthwise"
    op = Conv2d(
        out_channels=_filters(task) or 0,
        kernel_size=values.pair("conv", "kernel_size") or (1, 1),
        stride=values.pair("stride", "stride") or (1, 1),
        padding=values.padding() or "same",
        dilation=values.pair("dilation", "dilation") or (1, 1),
        groups=groups or 1,
        bias=norm == "none" if values.raw("bias") is None else values.flag("bias"),
    )
    return _unit(task, "conv", op, norm, function)


def _filters(task: Task) -> int | None:
    """Return the output channels: the layer's, or those of the network's defaults."""
    if task.values.raw("filters") is not None:
        return task.values.integer("filters", "out_channels")
    message, help = "`conv` needs `filters`", "add `filters: 64`"
    task.values.report.add(Diagnostic("missing-field", message, task.layer.span(), help=help))
    return None


def _depthwise(task: Task) -> int | None:
    channels = task.builder.shapes[task.inputs[0]].channels if task.inputs else None
    return channels if isinstance(channels, int) else None


def _unit(task: Task, suffix: str, op: Op, norm: str, function: str) -> str:
    """Add an operation with its norm and activation: one node, or a region of kind layer."""
    parts: list[tuple[str, Op]] = [(suffix, op)]
    if norm == "batch_norm":
        parts.append(("norm", task.norm))
    if function != "none":
        parts.append(("act", Activation(function)))
    if len(parts) == 1:
        return task.add(suffix, op, task.inputs, whole=True)
    task.builder.open(task.path, "layer", task.inputs, task.info)
    tensor, values = task.inputs, task.values
    exprs, written = values.exprs, values.texts
    for name, part in parts:
        tensor = (task.add(name, part, tensor, whole=False),)
        values.exprs, values.texts = {}, {}
    values.exprs, values.texts = exprs, written
    return task.builder.close(tensor[0])


def default_norm(defaults: Defaults, report: Report) -> BatchNorm:
    """Return the batch norm that follows a convolution: the network's default."""
    layer = defaults.layers.get("batch_norm")
    if layer is None:
        return BatchNorm()
    values = Values(layer, "`batch_norm`", defaults, report)
    values.decisions = defaults.decisions
    return _batch_norm(values)


def _batch_norm(values: Values) -> BatchNorm:
    eps, momentum, decay = (_optional(values, f) for f in ("eps", "momentum", "decay"))
    is_twice = momentum is not None and decay is not None
    if is_twice and values.where("momentum") is not values.where("decay"):  # the layer's own wins
        is_own = values.where("momentum") is values.layer
        momentum, decay = (momentum, None) if is_own else (None, decay)
    if momentum is not None and decay is not None:
        if values.where("momentum") is values.where("decay"):
            message = "`momentum` and `decay` are two words for one thing"
            _complain(values, message, "momentum", "give one")
        elif values.where("decay") is values.defaults:  # the layer's own word holds
            decay = None
    if decay is not None:
        momentum = round(1 - decay, 12)
    _check_norm(values, eps, momentum)
    return BatchNorm(
        eps=1e-5 if eps is None else eps,
        momentum=0.1 if momentum is None else momentum,
        scale=values.flag("scale"),
        shift=values.flag("shift"),
    )


def _check_norm(values: Values, eps: float | None, momentum: float | None) -> None:
    if eps is not None and eps <= 0:
        _complain(
            values,
            f"`eps` of {values.what} = {eps:g} is not positive",
            "eps",
            "1e-3 and 1e-5 are usual",
        )
    if momentum is not None and not 0 <= momentum <= 1:
        text = f"the weight of the newest batch is {momentum:g}, not between 0 and 1"
        _complain(values, text, "momentum", "PyTorch's momentum is 1 - TensorFlow's decay")
    if momentum == 0:
        values.report.add(
            Diagnostic(
                "frozen-norm",
                "a momentum of 0 never updates the running statistics",
                values.where("momentum").span("momentum"),
                help="TensorFlow's decay of 1 - m is a momentum of m here",
                severity="warning",
            )
        )


def _optional(values: Values, field: str) -> float | None:
    return None if values.raw(field) is None else values.number(field)


def _complain(values: Values, message: str, field: str, help: str) -> None:
    span = values.where(field).span(field)
    values.report.add(Diagnostic("bad-value", message, span, help=help))


def lower_batch_norm(task: Task) -> str:
    """Batch normalisation as a layer of its own."""
    return task.add("", _batch_norm(task.values), task.inputs, whole=True)


def lower_linear(task: Task) -> str:
    """Fully connected layer, then its activation."""
    values, layer = task.values, task.layer
    assert isinstance(layer, LinearLayer)
    op = Linear(values.integer("linear", "out_features") or 0, values.flag("bias"))
    function = values.word("activation", ACTIVATION_WORDS)
    return _unit(task, "linear", op, "none", function)


def lower_pool(task: Task) -> str:
    """Maximum or mean over a window."""
    values, op = task.values, task.layer.op
    kernel = values.pair(op, "kernel_size") or (1, 1)
    stride = values.pair("stride", "stride") or (1, 1)
    padding: Any = values.padding() or "same"
    ceil = values.flag("ceil")
    if op == "max_pool":
        return task.add("", MaxPool2d(kernel, stride, padding, ceil), task.inputs, whole=True)
    counted = values.flag("count_include_pad")
    return task.add("", AvgPool2d(kernel, stride, padding, ceil, counted), task.inputs, whole=True)


def lower_global_pool(task: Task) -> str:
    """Mean or maximum over the whole map."""
    function: Any = "avg" if task.layer.op == "global_avg_pool" else "max"
    op = GlobalPool2d(function, task.values.flag("keep_grid"))
    return task.add("", op, task.inputs, whole=True)


def lower_adaptive(task: Task) -> str:
    """Mean over the cells of a fixed grid."""
    op = AdaptiveAvgPool2d(task.values.pair("adaptive_avg_pool", "output_size") or (1, 1))
    return task.add("", op, task.inputs, whole=True)


def lower_upsample(task: Task) -> str:
    """Nearest-neighbour upsampling."""
    return task.add(
        "", Upsample(task.values.integer("upsample", "factor") or 1), task.inputs, whole=True
    )


def lower_scale(task: Task) -> str:
    """Multiplication by a constant."""
    factor = task.values.number("scale", "factor")
    return task.add("", Scale(1.0 if factor is None else factor), task.inputs, whole=True)


def lower_dropout(task: Task) -> str:
    """Dropout; `keep` is the paper's word, `drop` is PyTorch's p."""
    return task.add("", Dropout(_drop_rate(task)), task.inputs, whole=True)


def _drop_rate(task: Task) -> float:
    layer = task.layer
    assert isinstance(layer, DropoutLayer)
    given = layer.dropout
    report, span = task.values.report, layer.span("dropout")
    if not isinstance(given, dict) or len(given) != 1 or not set(given) <= {"keep", "drop"}:
        both = isinstance(given, dict) and {"keep", "drop"} <= set(given)
        text = "gives both `keep` and `drop`" if both else "does not say which share it gives"
        report.add(
            Diagnostic(
                "bad-value", f"`dropout` {text}", span, help="write `{keep: 0.8}` or `{drop: 0.2}`"
            )
        )
        return 0.0
    ((word, written),) = given.items()
    whose, span = f"`{word}` of `dropout`", layer.span("dropout", word)
    share = Written(written, whose, layer, ("dropout", word), word)
    rate = task.values.of_type("number", share)
    if not isinstance(rate, (int, Fraction)):
        return 0.0
    if not 0 <= rate <= 1:
        message = f"{whose} is {show_value(rate)}, not between 0 and 1"
        report.add(share.diagnostic(message))
        return 0.0
    drop = float(rate) if word == "drop" else round(1 - float(rate), 12)
    if drop > 0.5:
        report.add(
            Diagnostic(
                "high-dropout",
                f"this drops {drop:.0%} of the elements",
                span,
                help="the paper keeps 0.8; `drop` is what is zeroed, `keep` what is left",
                severity="warning",
            )
        )
    return drop


def lower_word(task: Task) -> str:
    """An op that its word says whole: an activation, softmax, flatten, normalize, identity."""
    op = task.layer.op
    made: dict[str, Op] = {
        "softmax": Softmax(),
        "flatten": Flatten(),
        "normalize": Normalize(),
        "identity": Identity(),
    }
    return task.add("", made.get(op) or Activation(op), task.inputs, whole=True)


LOWER: dict[str, Callable[[Task], str]] = {
    "conv": lower_conv,
    "max_pool": lower_pool,
    "avg_pool": lower_pool,
    "global_avg_pool": lower_global_pool,
    "global_max_pool": lower_global_pool,
    "adaptive_avg_pool": lower_adaptive,
    "upsample": lower_upsample,
    "batch_norm": lower_batch_norm,
    "linear": lower_linear,
    "dropout": lower_dropout,
    "scale": lower_scale,
    **dict.fromkeys(("softmax", "flatten", "normalize", "identity", *ACTIVATIONS), lower_word),
}
"""Op of a layer that is no structure -> the function that lowers it."""
