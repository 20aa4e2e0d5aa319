"""Pictures that are damaged, are none, or would take more than they show."""

from __future__ import annotations

import io
import random
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from backends.state.photo import load_photo
from backends.state.picture import FORMATS, Cropping, read_apart, read_picture
from compiler.errors import UsageError
from tests.hostile.commands import PYTHON, shell
from tests.hostile.images import METADATA, icon, many_scans, png

MUTATIONS = 300
"""Of every format, in `make test`."""
LISTED = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
NONE = f"x is no picture that can be read: it is no {LISTED}"
PIXELS = (
    "\n  help: save it smaller; the limit is 50,331,648; NETDRAFT_LIMIT_PICTURE_PIXELS sets another"
)


def picture(form: str) -> bytes:
    """Return a small picture in a format."""
    image = Image.effect_noise((32, 32), 50).convert("RGB")
    out = io.BytesIO()
    match form:
        case "BLP":
            image.quantize(16).save(out, form)
        case "GIF" | "WEBP" | "AVIF" | "TIFF" | "MPO":
            image.save(out, form, save_all=True, append_images=[image, image.rotate(90)])
        case "JPEG":
            exif = Image.Exif()
            exif[274], exif[271] = 6, "x" * 40
            image.save(out, form, exif=exif, progressive=True)
        case "PNG":
            notes = PngImagePlugin.PngInfo()
            notes.add_text("a", "b" * 40, zip=True)
            image.save(out, form, pnginfo=notes)
        case _:
            image.save(out, form)
    return out.getvalue()


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with some changed, cut off, taken out or doubled, the head above all."""
    out = bytearray(data)
    at = draw.randrange(len(out))
    match draw.randrange(6):
        case 0:
            return bytes(out[:at])
        case 1:
            del out[at : at + draw.randrange(1, 40)]
        case 2:
            out[at:at] = out[at : at + draw.randrange(1, 40)]
        case 3:
            for _ in range(draw.choice((1, 1, 2, 4))):
                out[draw.randrange(min(len(out), 120))] = draw.randrange(256)
        case _:
            for _ in range(draw.choice((1, 2, 8))):
                out[draw.randrange(len(out))] = draw.choice((0, 255, draw.randrange(256)))
    return bytes(out)


def refusal(path: Path) -> str:
    """Read a picture and return what is said of it, without its folder."""
    with pytest.raises(UsageError) as caught:
        read_picture(path, Cropping(8, 8))
    return str(caught.value).replace(f"{path.parent}/", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x"


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_read(form: str, path: Path) -> None:
    path.write_bytes(picture(form))
    assert len(read_picture(path, Cropping(9, 7))) == 3 * 9 * 7


@pytest.mark.parametrize("form", FORMATS)
def test_damage_is_a_sentence(form: str, path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Mutations of every format: a picture or one sentence; never another exception, or words."""
    data, draw, said = picture(form), random.Random(form), set()
    for _ in range(MUTATIONS):
        path.write_bytes(mutated(data, draw))
        try:
            read_picture(path, Cropping(8, 8))
        except UsageError as error:
            said.add(str(error).replace(f"{path.parent}/", ""))
    assert said
    assert [text for text in said if not text.startswith("x ")] == []
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("form", ["EPS", "PDF", "MSP", "SPIDER", "XBM"])
def test_formats_that_are_not_read(form: str, path: Path) -> None:
    image = Image.new("1" if form in ("MSP", "XBM") else "L", (32, 32))
    image.convert("F" if form == "SPIDER" else image.mode).save(path, form)
    assert refusal(path) == NONE


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nquit\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        bytes(99),
    ],
)
def test_what_is_no_picture(data: bytes, path: Path) -> None:
    path.write_bytes(data)
    assert refusal(path) == NONE


def test_a_picture_that_is_cut_off(path: Path) -> None:
    path.write_bytes(picture("PNG")[:1000])
    assert refusal(path) == "x is no PNG picture that can be read: image file is truncated"


def test_many_pixels_in_a_small_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(png(13_300, 13_300))
    assert path.stat().st_size < 100_000
    assert refusal(path) == f"x has 176,890,000 pixels{PIXELS}"
    monkeypatch.setenv("NETDRAFT_LIMIT_PICTURE_PIXELS", "180000000")
    assert len(read_picture(path, Cropping(8, 8))) == 192


def test_a_picture_inside_a_small_one(path: Path) -> None:
    path.write_bytes(icon(png(8000, 8000)))
    assert refusal(path) == f"x has 64,000,000 pixels{PIXELS}"


def test_pixels_up_to_the_limit(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_PICTURE_PIXELS", "10000")
    path.write_bytes(png(100, 100))
    assert len(read_picture(path, Cropping(8, 8))) == 192
    path.write_bytes(png(100, 101))
    assert refusal(path).startswith("x has 10,100 pixels\n")


def test_a_large_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETDRAFT_LIMIT_PICTURE_BYTES", "1234")
    path.write_bytes(png(9, 9, (b"tEXt", b"a\0" + b"x" * 1500)))
    assert refusal(path) == (
        "x has 1.6 kB, too many for a picture\n"
        "  help: save it smaller; the limit is 1,234; NETDRAFT_LIMIT_PICTURE_BYTES sets another"
    )


@pytest.mark.parametrize("what", METADATA)
def test_what_stands_beside_pixels_is_bounded(
    what: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pillow passes it over or refuses it, and may not take more memory than this in any case."""
    monkeypatch.setenv("NETDRAFT_LIMIT_PICTURE_MEMORY", "200000000")
    path.write_bytes(METADATA[what]())
    try:
        assert len(read_apart(path, Cropping(8, 8))) == 192
    except UsageError as error:
        said = str(error).replace(f"{path.parent}/", "")
    else:
        said = "x is no picture that can be read"
    assert said.startswith(("x is no ", "x takes more memory than a picture may"))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_many_frames_the_first_is_read(form: str, path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (i % 256, 99, 99)) for i in range(400)]
    more = {"lossless": True} if form == "WEBP" else {}
    frames[0].save(path, form, save_all=True, append_images=frames[1:], **more)
    first = load_photo(path, 4, 4)
    assert first[0, 0].max().item() == -1


def test_time_is_bounded(path: Path) -> None:
    path.write_bytes(many_scans(2000, 3000))
    line = "export NETDRAFT_LIMIT_PICTURE_SECONDS=1; netdraft build t.yaml --device cpu --image x"
    done = shell(line, path.parent)
    assert (done.returncode, done.stderr) == (
        2,
        "error: x takes more than 1 s to read\n"
        "  help: save it anew as PNG; "
        "the limit is 1; NETDRAFT_LIMIT_PICTURE_SECONDS sets another\n",
    )
    assert not (path.parent / "build").exists()


def test_memory_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(png(8000, 6000))
    monkeypatch.setenv("NETDRAFT_LIMIT_PICTURE_MEMORY", "150000000")
    with pytest.raises(UsageError) as caught:
        read_apart(path, Cropping(8, 8))
    assert str(caught.value) == (
        f"{path} takes more memory than a picture may\n"
        "  help: the limit is 150,000,000; NETDRAFT_LIMIT_PICTURE_MEMORY sets another"
    )


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("os.kill(os.getpid(), 11)", "it ends the process that reads it (exit code -11)"),
        ("os._exit(0)", "it ends the process that reads it (exit code 0)"),
    ],
)
def test_a_decoder_that_crashes(
    ending: str, words: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a fault in a library does to the process that reads, done to it at its start."""
    (path.parent / "sitecustomize.py").write_text(f"import os\n{ending}\n")
    path.write_bytes(picture("PNG"))
    monkeypatch.setenv("PYTHONPATH", str(path.parent))
    with pytest.raises(UsageError) as caught:
        read_apart(path, Cropping(8, 8))
    assert str(caught.value) == f"{path} is no picture that can be read: {words}"


def test_modules_of_the_current_folder_are_not_run(tmp_path: Path) -> None:
    for name in ("PIL.py", "backends.py", "warnings.py"):
        (tmp_path / name).write_text("raise SystemExit('a stranger was run')\n")
    (tmp_path / "x.png").write_bytes(picture("PNG"))
    code = "from pathlib import Path; import backends.state.picture as picture; "
    code += "picture.read_apart(Path('x.png'), picture.Cropping(8, 8))"
    done = shell(f'{PYTHON} -P -c "{code}"', tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
