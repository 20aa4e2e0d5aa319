"""Pictures that cannot be read or scaled end a training with a sentence that names them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from PIL import Image

from backends.train.crops import crops_of
from backends.train.examples import Examples, evaluation_parts
from backends.train.pictures import FolderPictures, read_idx
from backends.train.transforms import Frame, Transform
from compiler.errors import UsageError
from compiler.weights.mapping import Preprocessing

HOW = Preprocessing("", 1, (0.5,) * 3, (0.5,) * 3, "bilinear", "1")
FRAME = Frame(1, 224, 224, HOW)


@pytest.mark.parametrize("spoilt", [slice(10, 30), slice(40, None)], ids=["damaged", "cut off"])
def test_a_damaged_idx_file_is_named(spoilt: slice, tmp_path: Path) -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 4, mtime=0))
    data[spoilt] = b"\xff" * 20 if spoilt.stop else b""
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"train-images-idx3-ubyte\.gz cannot be read: "):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("transform", "scaled"),
    [
        (FRAME.evaluated, "224x224 it is 224x448000"),
        (crops_of(FRAME, 12), "256x256 it is 256x512000"),
    ],
    ids=["middle", "12 crops"],
)
def test_a_picture_too_long_to_scale_is_named(
    transform: Transform, scaled: str, tmp_path: Path
) -> None:
    path = tmp_path / "long.png"
    Image.new("L", (1, 2000)).save(path)
    examples = Examples(FolderPictures(["a"], [0], [path]), transform, 0)
    with pytest.raises(UsageError) as caught:
        list(evaluation_parts(examples, 1))
    assert str(caught.value).startswith(
        f"{path}: it is 1x2000, and scaled to cover {scaled}: the limit is 50,000,000"
    )
