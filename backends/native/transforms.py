"""Winograd variants: which are worth measuring, and their C++ transforms as straight-line text."""

from __future__ import annotations

from backends.native.straight_line import StraightLine
from backends.winograd import Matrix, Variant

MAX_LINE_POINTS = 12
"""Most points of a variant along one axis only; along both axes, `MAX_PLANE_POINTS` each."""
MAX_PLANE_POINTS = 8


KERNELS = ((1, 3), (3, 1), (3, 3), (1, 5), (5, 1), (5, 5), (1, 7), (7, 1))
"""Kernel sizes that have variants: all in one library, compiled once per machine."""


def variants_of(kernel: tuple[int, int]) -> tuple[Variant, ...]:
    """Return the variants worth measuring for a kernel size: none for one not in `KERNELS`."""
    if kernel not in KERNELS:
        return ()
    if min(kernel) == 1:
        taps = max(kernel)
        # F(m, r) needs m + r - 1 points (Winograd), and the rounding error grows with each.
        counts = [m for m in (2, 4, 6) if m + taps - 1 <= MAX_LINE_POINTS]
        pairs = [(m, 1) if kernel[1] == 1 else (1, m) for m in counts]
    else:
        most = MAX_PLANE_POINTS - max(kernel) + 1
        pairs = [(m, m) for m in (2, 4, 6) if m <= most]
    return tuple(Variant(kernel, pair) for pair in pairs)


def emit_transforms() -> str:
    """Return C++ functions for every variant.

    `data_NAME` and `output_NAME` take inputs and products to and from the points, `filter_NAME`
    the filters; `gradient_NAME` and `taps_NAME` are the transposes of the output and the filter
    transform, for the gradient of a weight. `data16_NAME` and `gradient16_NAME` read bfloat16.
    """
    return "".join(_emit(variant) for kernel in KERNELS for variant in variants_of(kernel))


def _emit(variant: Variant) -> str:
    down, across = variant.transforms
    columns, outputs = across.size, across.outputs
    gradient = _transposed(down.output), _transposed(across.output)
    return (
        _emit_data("data", variant, down.data, across.data)
        + _emit_data("gradient", variant, *gradient)
        + f"""
extern "C" void output_{variant.name}(const float* products, int64_t point_stride,
                                      int32_t vectors, float* out) {{
  for (int32_t v = 0; v < vectors; ++v, products += WIDTH, out += WIDTH) {{
    auto in = [&](int i, int j) {{ return load(products + (i * {columns} + j) * point_stride); }};
    auto put = [&](int i, int j, vec y) {{
      store(out + (i * {outputs} + j) * vectors * WIDTH, y);
    }};
{_emit_plane(down.output, across.output)}
  }}
}}
extern "C" void filter_{variant.name}(const float* weight, int64_t row, int64_t column,
                                      int64_t lane, int64_t lanes, float* out,
                                      int64_t point_stride) {{
    auto in = [&](int i, int j) {{
      return load_lanes(weight + i * row + j * column, lane, lanes);
    }};
    auto put = [&](int i, int j, vec v) {{
      store(out + (i * {columns} + j) * point_stride, v);
    }};
{_emit_plane(down.filter, across.filter)}
}}
extern "C" void taps_{variant.name}(const float* sums, int64_t point_stride, float* weight,
                                    int64_t row, int64_t column, int64_t lane, int64_t lanes,
                                    bool add) {{
    auto in = [&](int i, int j) {{ return load(sums + (i * {columns} + j) * point_stride); }};
    auto put = [&](int i, int j, vec v) {{
      float* at = weight + i * row + j * column;
      store_lanes(at, lane, lanes, add ? v + load_lanes(at, lane, lanes) : v);
    }};
{_emit_plane(_transposed(down.filter), _transposed(across.filter))}
}}
"""
    )


def _emit_data(side: str, variant: Variant, down: Matrix, across: Matrix) -> str:
    """Return a transform of pixels, and the same with `16` after its side for bfloat16 ones."""
    load = f"load(static_cast<const T*>(pixels[i * {len(across[0])} + j]) + c)"
    arguments = "const void* const* pixels, int64_t channels, float* out, int64_t point_stride"
    template = f"{side}_of_{variant.name}"
    return f"""
namespace {{
template <class T>
inline void {template}({arguments}) {{
  for (int64_t c = 0; c < channels; c += WIDTH) {{
    auto in = [&](int i, int j) {{ return {load}; }};
    auto put = [&](int i, int j, vec v) {{
      store(out + (i * {len(across)} + j) * point_stride + c, v);
    }};
{_emit_plane(down, across)}
  }}
}}
}}
extern "C" void {side}_{variant.name}({arguments}) {{
  {template}<float>(pixels, channels, out, point_stride);
}}
extern "C" void {side}16_{variant.name}({arguments}) {{
  {template}<uint16_t>(pixels, channels, out, point_stride);
}}
"""


def _transposed(matrix: Matrix) -> Matrix:
    return tuple(zip(*matrix, strict=True))


def _emit_plane(down: Matrix, across: Matrix) -> str:
    """Return statements for `out = down @ in @ across.T`, element by element."""
    code = StraightLine("s")
    rows, columns = len(down[0]), len(across[0])
    halves = []
    for i in range(rows):
        names = [f"d{i}_{j}" for j in range(columns)]
        code.lines += [f"const vec {name} = in({i}, {j});" for j, name in enumerate(names)]
        halves.append(code.apply(across, names))
    made = [code.apply(down, [row[j] for row in halves]) for j in range(len(across))]
    for i in range(len(down)):
        code.lines += [f"put({i}, {j}, {column[i]});" for j, column in enumerate(made)]
    return "\n".join("    " + line for line in code.lines)
