"""A module of `build_module` -> the same one, which trains with our own kernels on a CPU."""

from torch import nn

from backends.native.compiled_library import load_library
from backends.native.training.norm2d import norms_apart
from backends.native.training.replace_layers import replace_layers
from backends.native.training.rewrite_blocks import rewrite_blocks
from backends.torch.module import computed_graph


def train_natively(module: nn.Module) -> None:
    """Let layers and blocks of a built module compute with the native kernels, in place.

    Raises:
        BackendError: there is no C++ compiler, or it fails; nothing is changed then.
    """
    load_library()
    replace_layers(module, norms_apart(computed_graph(module)))
    rewrite_blocks(module)
