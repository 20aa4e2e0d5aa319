"""The kinds of value that a spec may hold, as pydantic types."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator

from compiler.text.expr import Expr
from compiler.text.grammar import (
    Formula,
    PaddingValue,
    PairFormula,
    read_bool,
    read_formula,
    read_groups,
    read_list,
    read_padding,
    read_pair,
    read_size,
    read_text,
    read_true,
)
from compiler.text.names import read_layer_name, read_name, read_output_name

Number = Annotated[Formula, PlainValidator(read_formula)]
Kernel = Annotated[PairFormula, PlainValidator(read_pair)]
Padding = Annotated[PaddingValue, PlainValidator(read_padding)]
Groups = Annotated[Formula | str, PlainValidator(read_groups)]
Size = Annotated[str, PlainValidator(read_size)]
Flag = Annotated[bool | Expr, PlainValidator(read_bool)]
Bare = Annotated[bool, PlainValidator(read_true)]
Text = Annotated[str, PlainValidator(read_text)]
Names = Annotated[list[str], PlainValidator(read_list)]
Name = Annotated[str, PlainValidator(read_name)]
LayerName = Annotated[str, PlainValidator(read_layer_name)]
OutputName = Annotated[str, PlainValidator(read_output_name)]
