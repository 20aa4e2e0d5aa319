"""Which keys and values are refused, and with which words."""

from __future__ import annotations

import pytest

from tests.cases.conftest import Draft


@pytest.mark.parametrize(
    ("layer", "key", "meant"),
    [
        ("{conv: 3x3, filters: 8, strides: 2}", "strides", "stride"),
        ("{conv: 3x3, filters: 8, paddding: same}", "paddding", "padding"),
        ("{conv: 3x3, filters: 8, batchnorm: false}", "batchnorm", "norm"),
        ("{conv: 3x3, out_channels: 8}", "out_channels", "filters"),
        ("{conv: 3x3, out: 8, act: relu}", "out", "filters"),
        ("{residual: {boddy: [relu]}}", "boddy", "body"),
        ("{branches: {a: [relu]}, joint: add}", "joint", "join"),
    ],
)
def test_a_misspelt_key_is_an_error(draft: Draft, layer: str, key: str, meant: str) -> None:
    """See drivendataorg/cyfi#64: the key was ignored and the default stood."""
    found = draft.layers("8x9x9", layer)
    assert f"has no key `{key}` (did you mean `{meant}`?)" in found.said


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("netwrok: n\n", "`netwrok` (did you mean `network`?)"),
        ("network: n\ninputs: {x: [3, 8, 8]}\nlayers: [relu]\n", "(did you mean `input`?)"),
        (
            "network: n\ninput: {x: [3, 8, 8]}\ndefaults: {conv: {nrom: none}}\nlayers: [relu]\n",
            "(did you mean `norm`?)",
        ),
        (
            "network: n\ninput: {x: [3, 8, 8]}\nblocks: {b: {params: {k: {typ: int}}, layers: "
            "[relu]}}\nlayers: [{block: b}]\n",
            "(did you mean `type`?)",
        ),
        (
            "network: n\ninput: {x: [3, 8, 8]}\nblocks: {b: {params: {k: 3}, layers: [{conv: 1x1, "
            "filters: k}]}}\nlayers: [{block: b, with: {kk: 4}}]\n",
            "(did you mean `k`?)",
        ),
    ],
)
def test_a_misspelt_key_at_every_level(draft: Draft, text: str, words: str) -> None:
    assert words in draft(text).said


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        ("{conv: 3x3, filters: x}", "`filters` of `conv`: unknown name `x`"),
        ("{conv: 3x3, filters: [4]}", "`filters` of `conv`"),
        ("{filters: 32}", "no key of this layer is an op: `filters` is a key of `conv`"),
        ("{op: conv, filters: 4}", "write `{conv: ...}`"),
        ("{op: Conv, filters: 4}", "write `{conv: ...}`"),
        ("{op: [conv]}", "write it so: `{conv: 3x3, filters: 64}`"),
        ("{op: null}", "write it so: `{conv: 3x3, filters: 64}`"),
        ("{Conv: 3x3, filters: 4}", "there is no op `Conv` (did you mean `conv`?)"),
        ("{conv: 3x3, filters: 4, form: in}", "`conv` has no key `form` (did you mean `from`?)"),
        ("{name: stem}", "no key of this layer is an op: `name` is a key of every layer"),
        ("{name: stem, conv2d: 3x3}", "there is no op `conv2d` (did you mean `conv`?)"),
        ("{name: stem, type: conv}", "write `{conv: ...}`"),
        ("{conv: 3x3, filters: 4, relu: true}", "`relu` is a layer of its own, before or after"),
        ("{relu: true, conv: 3x3, filters: 4}", "`conv` has no key `relu`"),
        ("{softmax: true, relu: true}", "`softmax` has no key `relu`"),
        ("{batch_norm: true, conv: 3x3, filters: 4}", "(did you mean `norm`?)"),
        ("{with: {n: 3}}", "add the op: `{block: ..., with: ...}`"),
        ("{name: r, body: [relu], shortcut: []}", "that belongs to a residual"),
    ],
)
def test_one_mistake_is_one_error(draft: Draft, layer: str, words: str) -> None:
    """See pydantic/pydantic#854: every alternative of a union complained."""
    found = draft.layers("8x9x9", layer)
    assert len(found.errors) == 1
    assert words in found.said
    assert "spec.yaml:4:" in found.text
    for foreign in ("pydantic", "Layer", "union", "tag", "https://"):
        assert foreign not in found.text


@pytest.mark.parametrize(
    ("kernel", "label"), [("3", "3x3"), ("3x3", "3x3"), ("[1, 7]", "1x7"), ('"1x7"', "1x7")]
)
def test_kernels_in_every_form(draft: Draft, kernel: str, label: str) -> None:
    """See BVLC/caffe#3201."""
    found = draft.layers("8x9x9", f"{{conv: {kernel}, filters: 4}}")
    assert found.graph is not None
    assert f"conv_{label}" in found.graph.regions or f"conv_{label}" in found.graph.nodes
    (node,) = (n for n in found.graph.nodes.values() if n.op.kind == "Conv2d")
    height, width = map(int, label.split("x"))
    assert node.op.attributes()["kernel_size"] == (height, width)


@pytest.mark.parametrize(
    "kernel", ["[3]", "[3, 3, 3]", "[]", "0", "-3", "3x", "x3", "3x3x3", "1.5"]
)
def test_kernels_that_are_none(draft: Draft, kernel: str) -> None:
    found = draft.layers("8x9x9", f"{{conv: {kernel}, filters: 4}}")
    assert len(found.errors) == 1
    assert "spec.yaml:4:12" in found.text
