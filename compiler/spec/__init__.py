"""Values -> checked models of blocks and networks: files, imports and variants."""

from __future__ import annotations

from compiler.spec.expansion import MAX_LEVELS, Expansion, copies_of
from compiler.spec.file import read_yaml
from compiler.spec.layer_values import LayerValues
from compiler.spec.loader import Spec, load_spec
from compiler.spec.mentions import mentions, names_in
from compiler.spec.model import (
    LAYERS,
    LAYERS_OWN,
    WITH_DEFAULTS,
    WORDS,
    AssertSpec,
    BlockLayer,
    BlockSpec,
    Branch,
    BranchesLayer,
    BrokenLayer,
    BrokenParam,
    DrawingSpec,
    ErratumSpec,
    LayersLayer,
    NetworkSpec,
    OutputSpec,
    ParallelLayer,
    ParamSpec,
    ResidualLayer,
    SplitLayer,
    layers_in,
    op_of,
)
from compiler.spec.params import READERS, guess_type, read_param_name
from compiler.spec.read_params import check_name
from compiler.spec.shipped import RECIPES, is_recipe, recipe_names, shipped_files, shipped_specs
from compiler.spec.validate import alone, validate
from compiler.spec.values import Defaults, Values, plain_default
from compiler.spec.written import Written, default_of

__all__ = [
    "LAYERS",
    "LAYERS_OWN",
    "MAX_LEVELS",
    "READERS",
    "RECIPES",
    "WITH_DEFAULTS",
    "WORDS",
    "AssertSpec",
    "BlockLayer",
    "BlockSpec",
    "Branch",
    "BranchesLayer",
    "BrokenLayer",
    "BrokenParam",
    "Defaults",
    "DrawingSpec",
    "ErratumSpec",
    "Expansion",
    "LayerValues",
    "LayersLayer",
    "NetworkSpec",
    "OutputSpec",
    "ParallelLayer",
    "ParamSpec",
    "ResidualLayer",
    "Spec",
    "SplitLayer",
    "Values",
    "Written",
    "alone",
    "check_name",
    "copies_of",
    "default_of",
    "guess_type",
    "is_recipe",
    "layers_in",
    "load_spec",
    "mentions",
    "names_in",
    "op_of",
    "plain_default",
    "read_param_name",
    "read_yaml",
    "recipe_names",
    "shipped_files",
    "shipped_specs",
    "validate",
]
