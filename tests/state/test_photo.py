"""A photograph becomes a tensor without being squeezed, and nothing else does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backends.state.photo import load_photo
from backends.train.transforms import Frame
from compiler.errors import UsageError
from compiler.weights.mapping import Preprocessing


def save(path: Path, pixels: list[list[tuple[int, int, int]]]) -> Path:
    Image.fromarray(np.array(pixels, dtype=np.uint8)).save(path)
    return path


def test_values_and_channels(tmp_path: Path) -> None:
    path = save(tmp_path / "x.png", [[(0, 255, 51), (255, 0, 51)]])
    photo = load_photo(path, 1, 2)
    assert photo.dtype == torch.float32
    expected = torch.tensor([[[[-1.0, 1.0]], [[1.0, -1.0]], [[-0.6, -0.6]]]])
    torch.testing.assert_close(photo, expected)


def test_the_middle_of_a_wide_picture(tmp_path: Path) -> None:
    red, green = (255, 0, 0), (0, 255, 0)
    path = save(tmp_path / "wide.png", [[red] * 8 + [green] * 16 + [red] * 8] * 16)
    photo = load_photo(path, 16, 16)
    assert photo.shape == (1, 3, 16, 16)
    assert photo[0, 0].max().item() == -1
    assert photo[0, 1].min().item() == 1


def test_gray_and_transparent_pictures_have_three_channels(tmp_path: Path) -> None:
    for mode in ("L", "RGBA", "P", "I;16"):
        Image.new(mode, (5, 4)).save(tmp_path / "x.png")
        assert load_photo(tmp_path / "x.png", 7, 9).shape == (1, 3, 7, 9)


def test_the_one_that_ships_fills_the_range() -> None:
    photo = load_photo(None, 299, 350)
    assert photo.shape == (1, 3, 299, 350)
    assert -1 <= photo.min() < -0.9
    assert 0.9 < photo.max() <= 1
    assert photo.std() > 0.3


@pytest.mark.parametrize(
    ("content", "text"),
    [(None, "there is no such file"), (b"no picture", "is no picture that can be read")],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes | None, text: str) -> None:
    path = tmp_path / "x.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=f"x.jpg:? {text}"):
        load_photo(path, 9, 9)


def test_a_picture_that_is_cut_off(tmp_path: Path) -> None:
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 50).save(whole)
    (tmp_path / "x.png").write_bytes(whole.read_bytes()[:900])
    with pytest.raises(
        UsageError, match=r"x\.png is no PNG picture that can be read: image file is truncated"
    ):
        load_photo(tmp_path / "x.png", 9, 9)


def test_gray_of_16_bits_is_that_of_8(tmp_path: Path) -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(levels).save(tmp_path / "8.png")
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "16.png")
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "16.tif")
    wanted = load_photo(tmp_path / "8.png", 16, 16)
    assert len(set(wanted.flatten().tolist())) == 256
    for name in ("16.png", "16.tif"):
        assert torch.equal(load_photo(tmp_path / name, 16, 16), wanted)


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_values_without_a_white_are_refused(tmp_path: Path, kind: type[np.generic]) -> None:
    path = tmp_path / "x.tif"
    Image.fromarray(np.ones((4, 4), kind)).save(path)
    with pytest.raises(UsageError) as refused:
        load_photo(path, 4, 4)
    assert str(refused.value) == (
        f"{path} has values of 32 bits, of which none is said to be white\n"
        "  help: save it with 8 or 16 bits a channel"
    )


def test_a_picture_in_grey_is_that_of_training(tmp_path: Path) -> None:
    said = Preprocessing("", 1, (0.25,) * 3, (0.5,) * 3, "bilinear", "1")
    levels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
    Image.fromarray(levels).save(tmp_path / "x.png")
    got = load_photo(tmp_path / "x.png", 8, 9, said, 1)
    want = Frame(1, 8, 9, said).evaluated(Image.fromarray(levels))
    torch.testing.assert_close(got[0], want)
