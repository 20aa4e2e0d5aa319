"""Metadata of weights: their source, the input they expect, their classes."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from compiler.errors import BackendError, CompileError, spelled
from compiler.weights.mapping import Preprocessing, WeightMap
from compiler.weights.match import Match

BACKGROUND = "background"
"""The class that TensorFlow's networks have before the others."""


@dataclass(frozen=True, slots=True)
class Notes:
    """The metadata of a file of weights; what it lacks is empty."""

    map: str = ""
    source: str = ""
    preprocessing: Preprocessing | None = None
    names: tuple[str, ...] = ()
    """Of the classes, in the order of the outputs."""

    def as_metadata(self) -> dict[str, str]:
        """Return it as the metadata of a safetensors file: text by key."""
        out = {"map": self.map, "source": self.source}
        if self.preprocessing is not None:
            out["preprocessing"] = json.dumps(self.preprocessing.as_data())
        if self.names:
            out["names"] = json.dumps(self.names, ensure_ascii=False)
        return {key: text for key, text in out.items() if text}


def notes_of_map(weights: WeightMap, match: Match) -> Notes:
    """Return the metadata that a map has of weights that were fitted with it.

    Names belong to a classifier: they are there where the map's first head is loaded, with one
    output for each, or with one more, the background before them.
    """
    rows = {move.name: move.size[0] for move in match.moves if move.size}
    count = rows.get(f"{weights.heads[0]}.weight") if weights.heads else None
    names = weights.names
    if count == len(names) + 1:
        names = (BACKGROUND, *names)
    known = names if count == len(names) else ()
    return Notes(weights.name, weights.source, weights.preprocessing, known)


def notes_of_file(
    metadata: Mapping[str, str], file: str, match: Match, overridden: Collection[str] = ()
) -> Notes:
    """Return a file's metadata of its own tensors; names where all of them are loaded.

    Args:
        metadata: text by key.
        file: what to call it.
        match: what became of its tensors.
        overridden: keys that are not read, since a user said something else.

    Raises:
        BackendError: the names in it are no list of names.
        CompileError: the preprocessing in it is at fault.
    """
    metadata = {key: text for key, text in metadata.items() if key not in overridden}
    names = _names(metadata["names"], file) if "names" in metadata else ()
    return Notes(
        metadata.get("map", ""),
        metadata.get("source", ""),
        preprocessing_of_file(metadata, file),
        names if match.is_complete and not match.not_needed else (),
    )


def preprocessing_of_file(metadata: Mapping[str, str], file: str) -> Preprocessing | None:
    """Return how a picture becomes the input, as a file has it; None where it has none.

    Raises:
        CompileError: it is at fault.
    """
    # On use: it loads pydantic.
    from compiler.weights.pictures import preprocessing_in, say_preprocessing

    if "preprocessing" not in metadata:
        return None
    try:
        return preprocessing_in(metadata["preprocessing"], f"{file}, preprocessing")
    except CompileError as error:
        help = f"this is in the metadata of the weights; {say_preprocessing()}"
        found = (replace(d, help=help) for d in error.diagnostics)
        raise CompileError(tuple(found), error.texts) from None


def _names(text: str, file: str) -> tuple[str, ...]:
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise BackendError(
            f"{file}: `names` in its metadata is no list of names of classes; name them with "
            f"{spelled('--names', 'FILE')}"
        )
    return tuple(names)
