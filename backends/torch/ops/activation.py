"""Element-wise functions, scaling, dropout, softmax and identity."""

from __future__ import annotations

from collections.abc import Sequence

from backends.torch.expressions import Call, Code, call, flat
from backends.torch.ops.emitted import Helper
from backends.torch.ops.spelling import AttributeWriter, function, module, operand, operators
from compiler.ops import (
    ACTIVATIONS,
    ARGUMENTS,
    Activation,
    Dropout,
    Identity,
    Normalize,
    PReLU,
    Scale,
    Softmax,
    Standardize,
)

FUNCTIONS = {
    "relu": "F.relu",
    "relu6": "F.relu6",
    "leaky_relu": "F.leaky_relu",
    "elu": "F.elu",
    "gelu": "F.gelu",
    "silu": "F.silu",
    "sigmoid": "torch.sigmoid",
    "tanh": "torch.tanh",
    "softplus": "F.softplus",
    "hard_sigmoid": "F.hardsigmoid",
    "hard_swish": "F.hardswish",
    "mish": "F.mish",
}
"""Word in a spec -> function."""


HELPERS: dict[str, Helper] = {
    "Scale": Helper(
        '''
class Scale(nn.Module):
    """Multiply by a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Multiply."""
        return self.factor * x
'''
    ),
    "DropPath": Helper(
        '''
class DropPath(nn.Dropout):
    """Dropout of whole samples while training: stochastic depth."""

    def forward(self, input: Tensor) -> Tensor:
        """Drop samples, and divide the others by the share that is kept."""
        if not self.training:
            return input
        return input * super().forward(input.new_ones(len(input), *[1] * (input.dim() - 1)))
'''
    ),
    "Standardize": Helper(
        '''
class Standardize(nn.Module):
    """Take RGB values from 0 to 1 to what the weights expect: (x - mean) / deviation."""

    def __init__(self, mean: tuple[float, ...], deviation: tuple[float, ...]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).view(-1, 1, 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise every channel."""
        return (x - self.mean) / self.deviation
'''
    ),
    "Normalize": Helper(
        '''
class Normalize(nn.Module):
    """Divide a vector by its Euclidean length."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalise over channels."""
        return F.normalize(x, dim=1)
''',
        imports=("F",),
    ),
}


@module.register
def _(op: Activation, site: AttributeWriter) -> Code:
    given = site.activation()
    return call(given) if given else activation_module(op, site.is_inplace)


def maker(op: Activation | PReLU) -> str:
    """Return what makes the module of an activation when it is called without arguments."""
    assert isinstance(op, Activation)
    made = activation_module(op, is_inplace=False)
    if not made.args:
        return made.function
    return flat(Call("partial", (("", made.function), *made.args)), str)


def activation_module(op: Activation, is_inplace: bool) -> Call:
    """Return an activation; only ReLU overwrites, its derivative needs the result alone."""
    inplace: dict[str, Code] = {"inplace": "True"} if is_inplace and op.function == "relu" else {}
    return call(f"nn.{ACTIVATIONS[op.function]}", **_argument(op), **inplace)


def _argument(op: Activation) -> dict[str, Code]:
    """Return the argument that is not torch's default, by torch's name."""
    if op.argument is None:
        return {}
    text = f'"{op.argument}"' if isinstance(op.argument, str) else repr(op.argument)
    return {ARGUMENTS[op.function][0]: text}


@function.register
def _(op: Activation, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call(FUNCTIONS[op.function], operands[0], **_argument(op))


@module.register
def _(op: PReLU, site: AttributeWriter) -> Code:
    return call("nn.PReLU", *([] if op.slopes == "one" else [site.channels().text]))


@module.register
def _(op: Dropout, site: AttributeWriter) -> Code:
    name = site.helper("DropPath") if op.per_sample else "nn.Dropout"
    return call(name, p=site.factor("drop", op.drop))


@module.register
def _(op: Scale, site: AttributeWriter) -> Code:
    return call(site.helper("Scale"), site.factor("factor", op.factor))


@function.register
def _(op: Scale, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operators(" * ", [site.stored_factor("factor", op.factor), operand(operands[0])])


@module.register
def _(op: Standardize, site: AttributeWriter) -> Code:
    return call(site.helper("Standardize"), str(op.mean), str(op.deviation))


@module.register
def _(op: Normalize, site: AttributeWriter) -> Code:
    return call(site.helper("Normalize"))


@function.register
def _(op: Normalize, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("F.normalize", operands[0], dim="1")


@module.register
def _(op: Softmax, site: AttributeWriter) -> Code:
    return call("nn.Softmax", dim="1")


@function.register
def _(op: Softmax, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return call("F.softmax", operands[0], dim="1")


@module.register
def _(op: Identity, site: AttributeWriter) -> Code:
    return call("nn.Identity")


@function.register
def _(op: Identity, operands: Sequence[Code], site: AttributeWriter) -> Code:
    return operands[0]
