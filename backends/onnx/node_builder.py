"""The place where one operation becomes ONNX nodes: names, types, and the nodes so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from compiler.errors import NOWHERE, BackendError, Span, at_place
from compiler.graph import Dim, Shape
from compiler.ops import Dropout, Identity, Op

INT64 = int(onnx.TensorProto.INT64)

Attribute = int | float | str | list[int] | onnx.TensorProto


@dataclass(frozen=True, slots=True)
class TensorType:
    """The type of a tensor inside the model: an ONNX element type and dimensions."""

    dtype: int
    dims: tuple[int | str | None, ...]


def batched(shape: Shape, dtype: int) -> TensorType:
    """Return the type of a tensor of `shape` behind the symbolic batch dimension `N`."""
    dims = [d if isinstance(d, int) or d is None else str(d) for d in shape]
    return TensorType(dtype, ("N", *dims))


@dataclass(slots=True)
class NodeBuilder:
    """Where one operation is spelled.

    The last node that a spelling emits makes the tensor `name`; what it needs on the way is
    called `name/part`, which no name of a spec can be.
    """

    name: str
    inputs: tuple[str, ...]
    weights: tuple[str, ...]
    """Names of the state that the operation reads, in the order of its `parameter_names`."""
    shapes: tuple[Shape, ...]
    """Shapes of `inputs` for one sample."""
    output: Shape
    opset: int
    dtype: int
    """Element type of weights and activations, an ONNX number."""
    path: str
    """The node's full name, for messages."""
    span: Span = NOWHERE
    """Where its layer is written."""
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    values: dict[str, TensorType] = field(default_factory=dict)

    @property
    def input(self) -> str:
        """The first operand."""
        return self.inputs[0]

    def emit(
        self,
        op_type: str,
        *inputs: str,
        part: str = "",
        made: TensorType | None = None,
        **attributes: Attribute | None,
    ) -> str:
        """Add a node and return the name of its tensor: the operation's own without a `part`.

        An attribute that is None is left out.
        """
        name = f"{self.name}/{part}" if part else self.name
        node = helper.make_node(op_type, list(inputs), [name], name)
        given = ((key, value) for key, value in sorted(attributes.items()) if value is not None)
        node.attribute.extend(helper.make_attribute(*item) for item in given)
        self.nodes.append(node)
        self.values[name] = made or batched(self.output, self.dtype)
        return name

    def tensor(self, array: npt.ArrayLike, dtype: int | None = None) -> onnx.TensorProto:
        """Return numbers as an ONNX tensor, in the model's own element type by default."""
        number = self.dtype if dtype is None else dtype
        return numpy_helper.from_array(
            np.asarray(array).astype(helper.tensor_dtype_to_np_dtype(number))
        )

    def constant(self, part: str, array: npt.ArrayLike, dtype: int | None = None) -> str:
        """Add a constant and return its name."""
        tensor = self.tensor(array, dtype)
        made = TensorType(tensor.data_type, tuple(tensor.dims))
        return self.emit("Constant", part=part, made=made, value=tensor)

    def mean(self, source: str, axes: list[int], part: str, made: TensorType) -> str:
        """Add the mean over some axes, which stay as ones; opset 18 made them an operand."""
        if self.opset < 18:
            return self.emit("ReduceMean", source, part=part, made=made, axes=axes, keepdims=1)
        axis = self.constant(f"{part}_axes", axes, INT64)
        return self.emit("ReduceMean", source, axis, part=part, made=made, keepdims=1)

    def map(self, *dims: Dim) -> TensorType:
        """Return the type of an intermediate tensor whose samples have `dims`."""
        return batched(Shape(dims), self.dtype)

    def refusal(self, what: str) -> BackendError:
        """Return the error for something that ONNX cannot express here."""
        return BackendError(at_place(self.span, f"`{self.path}`: {what}"))


@singledispatch
def spell(op: Op, builder: NodeBuilder) -> None:
    """Add the nodes of one operation to `builder`.

    Raises:
        BackendError: ONNX cannot express it; the message states what and why.
    """
    raise builder.refusal(f"operation {op.kind} has no spelling in ONNX")


TRANSPARENT = (Dropout, Identity)
"""What does nothing at inference: its readers read its input instead."""
