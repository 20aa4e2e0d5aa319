"""A picture's file -> pixels, in a process of its own: a stranger's file is at a decoder's mercy.

Run as a module it answers with the pixels of one picture, or with an error message.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import warnings
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from fractions import Fraction
from math import floor
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from compiler.errors import UsageError, limit, way_out
from compiler.facts.available_memory import show_bytes

FORMATS = (
    *("AVIF", "BLP", "BMP", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000"),
    *("MPO", "PCX", "PNG", "PPM", "QOI", "SGI", "TGA", "TIFF", "WEBP"),
)
"""What is read, where this Pillow can: formats of pixels alone, none that runs a program (EPS)."""
REFUSED = 2
"""The exit code of the process that printed an error message instead of pixels."""


_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@dataclass(frozen=True, slots=True)
class Cropping:
    """What is wanted of a picture: its middle in so many pixels."""

    width: int
    height: int
    interpolation: str = "bicubic"
    crop: str = "1"
    """The share of the scaled picture that is cut out, as a fraction or a decimal."""
    mode: str = "RGB"
    """`RGB`, or `L`: in grey. It has a letter for each channel."""

    @property
    def size(self) -> int:
        """How many bytes it is."""
        return len(self.mode) * self.width * self.height


def read_apart(source: Path, cropping: Cropping) -> bytes:
    """Return what `read_picture` returns, from a process that memory and time are counted for.

    Raises:
        UsageError: the file is no picture, or is beyond a limit.
    """
    root = str(Path(__file__).resolve().parents[2])
    paths = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
    # -P: the current folder may be a stranger's, and holds no modules.
    command = [
        sys.executable,
        "-P",
        "-m",
        "backends.state.picture",
        str(source),
        *map(str, astuple(cropping)),
    ]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries under Pillow print warnings
        check=False,
    )
    if done.returncode == 0 and len(done.stdout) == cropping.size:
        return done.stdout
    if done.returncode == REFUSED and done.stdout:
        raise UsageError(done.stdout.decode("utf-8", "replace"))
    if -done.returncode in (getattr(signal, "SIGXCPU", None), getattr(signal, "SIGKILL", None)):
        raise UsageError(
            f"{source} takes more than {limit('picture_seconds')} s to read\n"
            f"  help: save it anew as PNG; {way_out('picture_seconds')}"
        )
    raise UsageError(
        f"{source} is no picture that can be read: it ends the process that reads it "
        f"(exit code {done.returncode})"
    )


def read_picture(source: Path, cropping: Cropping) -> bytes:
    """Return a picture, row by row, scaled to cover a frame and cropped to its middle.

    Raises: what `open_picture` raises.
    """
    with open_picture(source) as picture:
        coloured = picture if cropping.mode == picture.mode else picture.convert(cropping.mode)
        return middle(coloured, cropping, source).tobytes()


@contextlib.contextmanager
def open_picture(source: Path) -> Iterator[Image.Image]:
    """Give a picture in RGB.

    Of a picture that moves it is the first frame; it is rotated by its EXIF orientation.

    Raises:
        UsageError: it is no picture, is damaged, or has more bytes or pixels than the limits.
    """
    form = ""
    _check_bytes(source)
    try:
        with _bounded(), Image.open(source, formats=_known()) as opened:
            form = f"{opened.format} "
            ImageOps.exif_transpose(opened, in_place=True)
            yield _in_rgb(opened, source)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(source, str(error)) from None
    except UnidentifiedImageError:
        formats = f"{', '.join(FORMATS[:-1])} or {FORMATS[-1]}"
        raise UsageError(f"{source} is no picture that can be read: it is no {formats}") from None
    except UsageError:
        raise
    except MemoryError:
        raise UsageError(
            f"{source} takes more memory than a picture may\n  help: {way_out('picture_memory')}"
        ) from None
    except Exception as error:  # decoders raise whatever a damaged file makes them raise
        detail = next(iter(str(error).splitlines()), "")
        reason = detail if " " in detail else "it is damaged"
        raise UsageError(f"{source} is no {form}picture that can be read: {reason}") from None


def _in_rgb(picture: Image.Image, source: Path) -> Image.Image:
    """Return a picture in RGB of 8 bits; Pillow alone would cut 16 bits off at 255, to white."""
    if picture.mode == "RGB":
        return picture
    if picture.mode in ("I", "F"):
        raise UsageError(
            f"{source} has values of 32 bits, of which none is said to be white\n"
            "  help: save it with 8 or 16 bits a channel"
        )
    if picture.mode.startswith("I;16"):
        picture = picture.convert("I").point(lambda level: level * (1 / 256)).convert("L")
    return picture.convert("RGB")


def middle(picture: Image.Image, cropping: Cropping, source: object) -> Image.Image:
    """Scale a picture to cover the size divided by the crop, and cut out its middle."""
    width, height, share = cropping.width, cropping.height, Fraction(cropping.crop)
    least_width, least_height = floor(width / share), floor(height / share)
    if picture.width * least_height <= picture.height * least_width:
        size = least_width, max(least_height, least_width * picture.height // picture.width)
    else:
        size = max(least_width, least_height * picture.width // picture.height), least_height
    check_scaled(picture, size, (width, height), source)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    scaled = picture.resize(size, _FILTERS[cropping.interpolation])
    return scaled.crop((left, top, left + width, top + height))


def check_scaled(
    picture: Image.Image, size: tuple[int, int], covered: tuple[int, int], source: object
) -> None:
    """Refuse to scale a picture to a size beyond the limit, as a very long one would have.

    Raises:
        UsageError: it is beyond.
    """
    if size[0] * size[1] > limit("scaled_pixels"):
        shown = ("x".join(map(str, s)) for s in (picture.size, covered, size))
        raise UsageError(
            "{} is {}, and scaled to cover {} it is {}: {}".format(
                source, *shown, way_out("scaled_pixels")
            )
        )


def _known() -> list[str]:
    """Return the formats that this Pillow was built with."""
    Image.init()
    return [name for name in FORMATS if name in Image.OPEN]


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Have Pillow refuse too many pixels wherever it meets them: ICO and ICNS hold pictures too."""
    kept, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, limit("picture_pixels")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = kept


def _check_bytes(source: Path) -> None:
    count = source.stat().st_size
    if count > limit("picture_bytes"):
        raise UsageError(
            f"{source} has {show_bytes(count)}, too many for a picture\n"
            f"  help: save it smaller; {way_out('picture_bytes')}"
        )


def _too_large(source: Path, error: str) -> UsageError:
    found = re.search(r"\((\d+) pixels\)", error)
    count = f"{int(found[1]):,}" if found else "too many"
    return UsageError(
        f"{source} has {count} pixels\n  help: save it smaller; {way_out('picture_pixels')}"
    )


def _bound_process() -> None:
    """Bound memory and processor time of this process, where the system can."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for kind, most in (
            (resource.RLIMIT_AS, limit("picture_memory")),
            (resource.RLIMIT_CPU, limit("picture_seconds")),
            (resource.RLIMIT_CORE, 0),
        ):
            hard = resource.getrlimit(kind)[1]
            soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(kind, (soft, hard))


def main(source: str, width: str, height: str, *how: str) -> int:
    """Write the pixels of a picture, or an error message."""
    _bound_process()
    try:
        cropping = Cropping(int(width), int(height), *how)
        answer, code = read_picture(Path(source), cropping), 0
    except UsageError as error:
        answer, code = str(error).encode("utf-8", "replace"), REFUSED
    sys.stdout.buffer.write(answer)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
