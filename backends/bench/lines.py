"""How long networks are: lines of a spec and of the emitted file beside those of its peer's code.

    python -m backends.bench.lines

A peer's lines are those of the classes of a network with the functions and tables that build it; of
all three, docstrings, comments, blank lines, imports, published figures and entries of weights are
left out. It runs where the peers are installed (`make peers`).
"""

from __future__ import annotations

import ast
import importlib
import inspect
import io
import sys
import textwrap
import tokenize
from collections.abc import Callable, Mapping

import yaml

from backends.torch.source import emit_source
from compiler.pipeline import load_graph
from compiler.spec.shipped import shipped_specs

RESNET = ("conv3x3", "conv1x1", "_resnet", "ResNet")
MOBILE = ("torchvision.ops.misc:ConvNormActivation", "torchvision.ops.misc:Conv2dNormActivation")
GATE = "torchvision.ops.misc:SqueezeExcitation"
DIVISIBLE = "torchvision.models._utils:_make_divisible"
DROP_PATH = (
    "torchvision.ops.stochastic_depth:stochastic_depth",
    "torchvision.ops.stochastic_depth:StochasticDepth",
)
PEERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "resnet18": ("torchvision.models.resnet", (*RESNET, "BasicBlock", "resnet18")),
    "resnet50": ("torchvision.models.resnet", (*RESNET, "Bottleneck", "resnet50")),
    "resnext50_32x4d": ("torchvision.models.resnet", (*RESNET, "Bottleneck", "resnext50_32x4d")),
    "densenet121": (
        "torchvision.models.densenet",
        ("_DenseLayer", "_DenseBlock", "_Transition", "DenseNet", "_densenet", "densenet121"),
    ),
    "vgg16_bn": ("torchvision.models.vgg", ("VGG", "make_layers", "cfgs", "_vgg", "vgg16_bn")),
    "squeezenet1_1": (
        "torchvision.models.squeezenet",
        ("Fire", "SqueezeNet", "_squeezenet", "squeezenet1_1"),
    ),
    "mobilenet_v2": (
        "torchvision.models.mobilenetv2",
        ("InvertedResidual", "MobileNetV2", "mobilenet_v2", DIVISIBLE, *MOBILE),
    ),
    "mobilenet_v3_large": (
        "torchvision.models.mobilenetv3",
        (
            "InvertedResidualConfig", "InvertedResidual", "MobileNetV3", "_mobilenet_v3_conf",
            "_mobilenet_v3", "mobilenet_v3_large", GATE, DIVISIBLE, *MOBILE,
        ),
    ),
    "efficientnet_b0": (
        "torchvision.models.efficientnet",
        (
            "_MBConvConfig", "MBConvConfig", "MBConv", "EfficientNet", "_efficientnet",
            "_efficientnet_conf", "efficientnet_b0", GATE, DIVISIBLE, *MOBILE, *DROP_PATH,
        ),
    ),
    "shufflenet_v2_x1_0": (
        "torchvision.models.shufflenetv2",
        (
            "channel_shuffle", "InvertedResidual", "ShuffleNetV2", "_shufflenetv2",
            "shufflenet_v2_x1_0",
        ),
    ),
    "convnext_tiny": (
        "torchvision.models.convnext",
        (
            "LayerNorm2d", "CNBlock", "CNBlockConfig", "ConvNeXt", "_convnext", "convnext_tiny",
            "torchvision.ops.misc:Permute", *MOBILE, *DROP_PATH,
        ),
    ),
    "legacy_xception": (
        "timm.models.xception",
        ("SeparableConv2d", "Block", "Xception", "_xception", "legacy_xception"),
    ),
    "inception_v3": (
        "torchvision.models.inception",
        (
            "Inception3", "InceptionA", "InceptionB", "InceptionC", "InceptionD", "InceptionE",
            "InceptionAux", "BasicConv2d", "inception_v3",
        ),
    ),
    "googlenet": (
        "torchvision.models.googlenet",
        ("GoogLeNet", "Inception", "InceptionAux", "BasicConv2d", "googlenet"),
    ),
}  # fmt: skip
"""Network -> the module of its peer, and the names of what it is made of."""
WORDS = frozenset(
    ("title", "doc", "cite", "errata", "claims", "network", "drawing", "input_size", "netdraft")
)
"""Keys of a spec that are no part of the network."""


def lines_of_python(text: str) -> int:
    """Return the number of lines with code: no docstrings, comments, blanks and imports."""
    tree = ast.parse(text)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        first = body[0] if isinstance(body, list) and body else None
        if isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str):
            skipped |= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            skipped |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT)
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (*blank, tokenize.ENDMARKER):
            found |= set(range(token.start[0], token.end[0] + 1))
    return len(found - skipped)


def lines_of_spec(name: str) -> int:
    """Return the number of lines of a spec and of the one that it extends, words left out."""
    path = shipped_specs() / f"{name}.yaml"
    text = path.read_text(encoding="utf-8")
    tree = yaml.compose(text)
    skipped: set[int] = set()
    base = 0
    for node in _mappings(tree):
        for key, value in node.value:
            if key.value in WORDS and key.start_mark.column == node.start_mark.column:
                skipped |= set(range(key.start_mark.line, _last(value) + 1))
            if key.value == "extends" and node is tree:
                base = lines_of_spec(f"zoo/{value.value.removesuffix('.yaml')}")
    rows = [row.strip() for row in text.splitlines()]
    own = [i for i, row in enumerate(rows) if row and not row.startswith("#")]
    return base + len([i for i in own if i not in skipped])


def _mappings(node: yaml.Node | None) -> list[yaml.MappingNode]:
    """Return the mappings in block style: what stands in braces is on a line with others."""
    if isinstance(node, yaml.SequenceNode):
        return [m for item in node.value for m in _mappings(item)]
    if not isinstance(node, yaml.MappingNode) or node.flow_style:
        return []
    return [node, *(m for _, value in node.value for m in _mappings(value))]


def _last(node: yaml.Node) -> int:
    """Return the last line of a value."""
    mark = node.end_mark
    return int(
        mark.line - 1 if mark.column == 0 and mark.line > node.start_mark.line else mark.line
    )


def lines_of_peer(name: str) -> int:
    """Return the number of lines of what a peer's network is made of."""
    module, names = PEERS[name]
    return sum(lines_of_python(_source(module, part)) for part in names)


def _source(module: str, name: str) -> str:
    home, _, own = name.rpartition(":")
    found = importlib.import_module(home or module)
    thing = getattr(found, own or name)
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return _without_decorators(textwrap.dedent(inspect.getsource(inspect.unwrap(thing))))
    tree = ast.parse(inspect.getsource(found))
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == (own or name) for t in targets):
            return ast.get_source_segment(inspect.getsource(found), node) or ""
    raise LookupError(f"{module} has no {name}")


def _without_decorators(text: str) -> str:
    """Return a function's own text: decorators register weights and models."""
    (node,) = ast.parse(text).body
    return "\n".join(text.splitlines()[node.lineno - 1 :])


def main(write: Callable[[str], object] = sys.stdout.write) -> None:
    """Print a table: lines of the spec, the emitted file and the peer's code, and the ratios."""
    write(f"{'network':20} {'spec':>5} {'file':>5} {'peer':>5}  spec/peer  file/peer\n")
    for name in PEERS:
        if not (shipped_specs() / "zoo" / f"{name}.yaml").is_file():
            continue
        spec, peer = lines_of_spec(f"zoo/{name}"), lines_of_peer(name)
        made = lines_of_python(emit_source(load_graph(f"zoo/{name}")).split("\nif __name__")[0])
        ratios = f"{spec / peer:9.2f}  {made / peer:9.2f}"
        write(f"{name:20} {spec:5} {made:5} {peer:5}  {ratios}\n")


if __name__ == "__main__":
    main()
