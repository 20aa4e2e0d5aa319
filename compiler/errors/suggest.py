"""Did you mean: near matches for names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from difflib import SequenceMatcher, get_close_matches
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from compiler.errors.report import Completion, Diagnostic

FOREIGN = {
    **dict.fromkeys(("swish", "sisu"), "silu"),
    **dict.fromkeys(("hswish", "hardswish"), "hard_swish"),
    **dict.fromkeys(("hsigmoid", "hardsigmoid"), "hard_sigmoid"),
    **dict.fromkeys(("lrelu", "leaky"), "leaky_relu"),
    **dict.fromkeys(("dense", "fc", "fullyconnected", "innerproduct"), "linear"),
    **dict.fromkeys(("conv2d", "convolution", "convolution2d"), "conv"),
    **dict.fromkeys(("bn", "batchnorm2d", "batchnormalization"), "batch_norm"),
    **dict.fromkeys(("gap", "globalaveragepooling2d", "globalaveragepool"), "global_avg_pool"),
    **dict.fromkeys(("globalmaxpooling2d", "globalmaxpool"), "global_max_pool"),
    **dict.fromkeys(("maxpool2d", "maxpooling2d"), "max_pool"),
    **dict.fromkeys(("avgpool2d", "averagepooling2d", "averagepool"), "avg_pool"),
    **dict.fromkeys(("adaptiveavgpool2d",), "adaptive_avg_pool"),
    **dict.fromkeys(("cat", "concatenate", "route"), "concat"),
    **dict.fromkeys(("eltwise", "sum", "shortcut"), "add"),
    **dict.fromkeys(("mul", "prod"), "multiply"),
    **dict.fromkeys(("sequential", "sequence"), "layers"),
    **dict.fromkeys(("upsampling2d", "upsample2d", "interpolate", "resize"), "upsample"),
    **dict.fromkeys(("convtranspose", "convtranspose2d", "conv2dtranspose"), "conv_transpose"),
    **dict.fromkeys(("deconv", "deconvolution", "upconv"), "conv_transpose"),
    **dict.fromkeys(("ln", "layernorm2d", "layernormalization"), "layer_norm"),
    **dict.fromkeys(("gn", "groupnormalization"), "group_norm"),
    **dict.fromkeys(("instancenorm2d", "instancenormalization"), "instance_norm"),
    **dict.fromkeys(("localresponsenorm",), "lrn"),
    **dict.fromkeys(("zeropad2d", "zeropadding2d", "reflectionpad2d"), "pad"),
    **dict.fromkeys(("centercrop", "cropping2d"), "crop"),
}
"""Word of another tool, in lower case without `_` -> ours, where that is known."""

# fmt: off
APART = frozenset((
    "adaptivemaxpool", "adaptivemaxpool2d", "attention", "bilinear", "celu", "conv1d", "conv3d",
    "div", "dropblock", "droppath", "embedding",
    "glu", "gru", "hardtanh", "logsigmoid", "logsoftmax", "lstm", "max", "maxout",
    "mean", "min", "prelu", "rmsnorm", "rnn", "selu", "slice", "softmin",
    "softsign", "sub", "swiglu", "unflatten",
))
# fmt: on
"""Operations of other tools, in lower case without `_`: no slip, however near a word of ours."""

MOST = 1000
"""Words that are compared with a misspelt one; of more, those that begin as it does."""


def guessing(
    word: str,
    known: Callable[[], Iterable[str]] | Iterable[str],
    help: str = "{help}",
    most: int = 40,
) -> Completion:
    """Return what adds the nearest known word to a finding's message, and the words to its help.

    Args:
        word: what is not known.
        known: what is, or a function that finds it.
        help: its new help, with `{words}` for the suggestions; kept where no word is known.
        most: how many words the help lists.
    """

    def complete(found: Diagnostic) -> Diagnostic:
        words = list(known() if callable(known) else known)
        message = found.message + did_you_mean(word, words)
        if not words:
            return replace(found, message=message)
        new_help = help.format(help=found.help, words=listing(words, most))
        return replace(found, message=message, help=new_help)

    return complete


def helping(help: Callable[[], str] | str) -> Completion:
    """Return the word that a finding's help suggests."""
    return lambda found: replace(found, help=help() if callable(help) else help)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question in brackets, or nothing where no known word is near."""
    match = nearest(word, known)
    return f" (did you mean `{match}`?)" if match else ""


_ASKED = re.compile(r"did you mean `([^`]+)`\?")
_NAMED = re.compile(r"`([^`]+)`")


def suggestion_of(found: Diagnostic) -> tuple[str, str] | None:
    """Return the wrong word of a finding and the one that its message asks for: `did_you_mean`."""
    asked = _ASKED.search(found.message) or _ASKED.search(found.help)
    if asked is None:
        return None
    before = found.message.partition(" (did you mean")[0]
    named = _NAMED.findall(before)
    return (named[-1], asked[1]) if named else None


def is_slip(word: str, meant: str) -> bool:
    """True where a word is another one mistyped, or another tool's word for it, and not a third.

    >>> is_slip("strides", "stride"), is_slip("Conv2d", "conv"), is_slip("pool", "max_pool")
    (True, True, False)
    """
    one, other = _fold(word), _fold(meant)
    if one == other or FOREIGN.get(one) == meant or sorted(one) == sorted(other):
        return True
    return SequenceMatcher(None, one, other).ratio() >= 0.85


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is nearest, comparing without regard to case and `_`."""
    known = list(known)
    if FOREIGN.get(_fold(word)) in known:
        return FOREIGN[_fold(word)]
    if _fold(word) in APART:
        return None
    folded: dict[str, str] = {}
    for candidate in _comparable(word, known):
        folded.setdefault(_fold(candidate), candidate)
    short = _fold(word[:80])
    moved = [w for w in folded if sorted(w) == sorted(short)]  # `form`: `from`, and not `for`
    close = moved or get_close_matches(short, folded, n=1, cutoff=0.7)
    found = close or [w for w in get_close_matches(short, folded, n=3) if _is_slip(w, short)]
    return folded[found[0]] if found else None


def _is_slip(a: str, b: str) -> bool:
    """True for short words that a slip of the finger makes of each other: `sgv` and `svg`."""
    return a[:1] == b[:1] and (abs(len(a) - len(b)) <= 1 or a.startswith(b) or b.startswith(a))


def _comparable(word: str, known: list[str]) -> list[str]:
    """Return known words, of many those alone that begin as the word does and are as long."""
    if len(known) <= MOST:
        return known
    size, first = len(word), word[:1].lower()
    near = (w for w in known if abs(len(w) - size) <= 3 and w[:1].lower() == first)
    return list(islice(near, MOST))


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")


def listing(words: Iterable[str], most: int = 40) -> str:
    """Return words as a list for an error: `a`, `b` and 3 more."""
    items = list(words)
    rest = len(items) - most
    shown = ", ".join(f"`{w}`" for w in items[:most])
    return shown + (f" and {rest} more" if rest > 0 else "") if items else "none"
