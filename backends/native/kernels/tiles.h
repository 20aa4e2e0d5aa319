// Products by matrix tiles (AMX): 16 pixels times 16 output channels, 32 input channels deep.
//
// A product of two bfloat16 values is exact in float32, so a float32 in two parts, its rounding to
// bfloat16 and what that left over, gives a product with 16 bits of each factor from three products
// of parts (Henry, Tang, Heinecke, arXiv 1904.06376); the product of the two remainders is dropped.

#pragma once

#include <omp.h>
#include <vector>

#include "products.h"

#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>

namespace {

constexpr int64_t TILE = 16, DEPTH = 32, TILE_VALUES = TILE * DEPTH;

struct alignas(64) TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {TILE, TILE, TILE, TILE, TILE, TILE, TILE, TILE};
};
const TileConfig tile_config;

// Asks the kernel for the tile registers, which are not part of a process until it does.
bool may_use_tiles() {
  constexpr long REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;
  return syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
}

// Where 16 pixels have the values of a tap: evenly spaced, in the input or gathered.
struct TileRows {
  const uint16_t* start;
  int64_t stride;  // bytes from pixel to pixel
  int64_t low;     // values from a first part to its second part
};

// Sums of a block in tiles, which wait for their epilogue.
class Pending {
 public:
  Pending() = default;
  Pending(const Panel& panel, const float* sums, int64_t pixel, int64_t rows)
      : panel_(&panel), sums_(sums), pixel_(pixel), count_(rows), is_plain_(true) {
    for (int64_t v = 0; v < panel.vectors; ++v) {
      const Target& to = panel.targets[v];
      is_plain_ &= to.channels == WIDTH && !to.out && !to.add && !to.low;
    }
    is_pair_ = is_plain_ && panel.vectors == 2 && are_adjacent(panel.targets[0], panel.targets[1]);
  }

  bool is_empty() const { return at_ == count_; }

  // The next rows. Most blocks are read and written in bfloat16 only, in whole cache lines.
  void finish_rows(int64_t rows) {
    const int64_t end = at_ + rows < count_ ? at_ + rows : count_;
    if (is_pair_) {
      finish_pairs(end);
    } else {
      for (int64_t v = 0; v < panel_->vectors; ++v) finish_vector(v, end);
    }
    at_ = end;
  }

 private:
  static bool are_adjacent(const Target& left, const Target& right) {
    const auto* add = left.add_rounded ? left.add_rounded + WIDTH : nullptr;
    return right.rounded == left.rounded + WIDTH && right.out_stride == left.out_stride &&
           right.add_rounded == add && right.add_stride == left.add_stride;
  }
  vec sum(int64_t row, int64_t v) const {
    return load(sums_ + (row / TILE * panel_->vectors + v) * TILE * TILE + row % TILE * WIDTH);
  }
  vec bias(int64_t v) const { return load(panel_->bias + v * WIDTH); }
  vec floor(int64_t v) const { return load(panel_->floor + v * WIDTH); }

  void finish_pairs(int64_t end) const {
    const Target target = panel_->targets[0];
    const vec bias0 = bias(0), bias1 = bias(1), floor0 = floor(0), floor1 = floor(1);
    uint16_t* to = target.rounded + (pixel_ + at_) * target.out_stride;
    const uint16_t* add = target.add_rounded;
    if (add) add += (pixel_ + at_) * target.add_stride;
    for (int64_t r = at_; r < end; ++r, to += target.out_stride) {
      vec left = sum(r, 0) + bias0, right = sum(r, 1) + bias1;
      if (add) {
        left += load(add);
        right += load(add + WIDTH);
        add += target.add_stride;
      }
      left = larger(floor0, left);
      right = larger(floor1, right);
      _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)right, (__m512)left));
    }
  }

  void finish_vector(int64_t v, int64_t end) const {
    const Target target = panel_->targets[v];
    const vec own_bias = bias(v), own_floor = floor(v);
    if (!is_plain_ || target.add_rounded) {
      for (int64_t r = at_; r < end; ++r)
        finish(target, pixel_ + r, sum(r, v), own_bias, own_floor);
      return;
    }
    uint16_t* to = target.rounded + (pixel_ + at_) * target.out_stride;
    for (int64_t r = at_; r < end; ++r, to += target.out_stride)
      store_rounded(to, larger(own_floor, sum(r, v) + own_bias));
  }

  const Panel* panel_ = nullptr;
  const float* sums_ = nullptr;
  int64_t pixel_ = 0, at_ = 0, count_ = 0;  // rows `at_` to `count_` are left
  bool is_plain_ = false, is_pair_ = false;
};

constexpr int64_t ROWS_PER_STEP = 8, MOST_LINES = 6;

// What a thread does beside the products, a little at each step of theirs, for these leave the
// processor's other units idle: the epilogue of the block before, and bringing the weights of the
// next convolution into the second-level cache.
struct Beside {
  Pending pending;
  int64_t lines_per_step = 0;
  const char *line = nullptr, *end = nullptr;

  void step() {
    for (int64_t i = 0; i < lines_per_step && line < end; ++i, line += 64)
      _mm_prefetch(line, _MM_HINT_T1);
    if (!pending.is_empty()) pending.finish_rows(ROWS_PER_STEP);
  }

  void finish() {
    if (!pending.is_empty()) pending.finish_rows(2 * TILE);
  }
};

// R times 16 pixels times V vectors of output channels, of values in P parts; tiles 0 to 3 are the
// sums, 4 and 5 the pixels, 6 and 7 the weights.
template <int R, int V, int P>
void tile_products(const TileRows* rows, int64_t taps, int64_t depth, const uint16_t* weight,
                   float* sums, Beside& beside) {
  constexpr int SUMS = TILE * TILE;
  _tile_zero(0);
  if constexpr (V > 1) _tile_zero(1);
  if constexpr (R > 1) _tile_zero(2);
  if constexpr (R > 1 && V > 1) _tile_zero(3);
  const auto load_pixels = [&](int64_t tap, int64_t at, bool low) __attribute__((always_inline)) {
    const TileRows& above = rows[tap];
    _tile_loadd(4, above.start + (low ? above.low : 0) + at, above.stride);
    if constexpr (R > 1) {
      const TileRows& below = rows[taps + tap];
      _tile_loadd(5, below.start + (low ? below.low : 0) + at, below.stride);
    }
  };
  const auto load_weights = [&](const uint16_t* from) __attribute__((always_inline)) {
    _tile_loadd(6, from, 64);
    if constexpr (V > 1) _tile_loadd(7, from + TILE_VALUES, 64);
  };
  const auto multiply = []() __attribute__((always_inline)) {
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (V > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (R > 1) _tile_dpbf16ps(2, 5, 6);
    if constexpr (R > 1 && V > 1) _tile_dpbf16ps(3, 5, 7);
  };
  for (int64_t tap = 0; tap < taps; ++tap)
    for (int64_t at = 0; at < depth; at += DEPTH, weight += P * V * TILE_VALUES) {
      load_pixels(tap, at, false);
      if constexpr (P > 1) {
        load_weights(weight + V * TILE_VALUES);
        multiply();
      }
      load_weights(weight);
      multiply();
      if constexpr (P > 1) {
        load_pixels(tap, at, true);
        multiply();
      }
      beside.step();
    }
  _tile_stored(0, sums, 64);
  if constexpr (V > 1) _tile_stored(1, sums + SUMS, 64);
  if constexpr (R > 1) _tile_stored(2, sums + V * SUMS, 64);
  if constexpr (R > 1 && V > 1) _tile_stored(3, sums + 3 * SUMS, 64);
}

typedef void (*TileProducts)(const TileRows*, int64_t, int64_t, const uint16_t*, float*, Beside&);
template <int P>
constexpr TileProducts tile_blocks[3][3] = {
    {}, {nullptr, tile_products<1, 1, P>, tile_products<1, 2, P>},
    {nullptr, tile_products<2, 1, P>, tile_products<2, 2, P>}};

// The pixels of a chunk, ready for tiles. Where channels fill whole tiles, each tap is on its own
// and stays in the input if its pixels are evenly spaced there: those of a 1x1 always are. Else
// they are copied; channels that do not fill a tile with all taps side by side.
class TileInput {
 public:
  TileInput(const Conv& conv, int64_t image, int64_t first, int64_t count, float* memory)
      : conv_(conv), first_(first), count_(count),
        in_(static_cast<const uint16_t*>(conv.in) + image * conv.in_pixels * conv.in_stride),
        free_(reinterpret_cast<uint16_t*>(memory)) {}

  static bool is_whole(const Conv& conv) { return conv.channels % DEPTH == 0; }
  static int64_t taps(const Conv& conv) { return is_whole(conv) ? conv.taps : 1; }
  static int64_t depth(const Conv& conv) {
    return is_whole(conv) ? conv.channels : ceil_div(conv.taps * conv.channels, DEPTH) * DEPTH;
  }

  // Writes [blocks][taps] places.
  void place(TileRows* rows) {
    for (int64_t block = 0; block < count_; block += TILE)
      for (int64_t tap = 0; tap < taps(conv_); ++tap) *rows++ = rows_of(block, tap);
  }

 private:
  TileRows rows_of(int64_t block, int64_t tap) {
    const int32_t* pixels = conv_.table + (first_ + block) * conv_.taps + tap;
    const int64_t count = count_ - block < TILE ? count_ - block : TILE;
    if (is_whole(conv_) && count == TILE && are_even(pixels)) {
      const int64_t step = pixels[conv_.taps] - pixels[0];
      return {in_ + pixels[0] * conv_.in_stride, step * conv_.in_stride * 2, conv_.low};
    }
    uint16_t* to = free_;
    const int64_t row = depth(conv_), low = conv_.low ? TILE * row : 0;
    free_ += TILE * row + low;
    for (int64_t r = 0; r < count; ++r, pixels += conv_.taps) {
      gather(pixels, 0, to + r * row);
      if (low) gather(pixels, conv_.low, to + low + r * row);
    }
    return {to, row * 2, low};
  }

  bool are_even(const int32_t* pixels) const {
    const int32_t step = pixels[conv_.taps] - pixels[0];
    bool even = pixels[0] >= 0;
    for (int r = 1; r < TILE; ++r)
      even &= pixels[r * conv_.taps] == pixels[0] + r * step && pixels[r * conv_.taps] >= 0;
    return even;
  }

  const uint16_t* at(int32_t pixel, int64_t part) const {
    return pixel < 0 ? static_cast<const uint16_t*>(conv_.zeros)
                     : in_ + pixel * conv_.in_stride + part;
  }

  void gather(const int32_t* pixels, int64_t part, uint16_t* to) const {
    if (is_whole(conv_)) {
      const uint16_t* from = at(pixels[0], part);
      for (int64_t c = 0; c < conv_.channels; c += DEPTH)
        _mm512_store_si512(to + c, _mm512_loadu_si512(from + c));
      return;
    }
    const uint16_t* const end = to + depth(conv_);
    for (int64_t tap = 0; tap < conv_.taps;) {
      const int64_t run = beside_each_other(pixels, tap);
      copy_few(at(pixels[tap], part), to, run * conv_.channels);
      tap += run;
      to += run * conv_.channels;
    }
    for (; to < end; ++to) *to = 0;
  }

  // How many taps from this one on have their values one after the other.
  int64_t beside_each_other(const int32_t* pixels, int64_t tap) const {
    int64_t run = 1;
    if (conv_.in_stride == conv_.channels && pixels[tap] >= 0)
      while (tap + run < conv_.taps && pixels[tap + run] == pixels[tap] + run) ++run;
    return run;
  }

  static void copy_few(const uint16_t* from, uint16_t* to, int64_t count) {
    for (; count > 0; count -= DEPTH, from += DEPTH, to += DEPTH) {
      const __mmask32 mask = count < DEPTH ? (1u << count) - 1 : ~0u;
      _mm512_mask_storeu_epi16(to, mask, _mm512_maskz_loadu_epi16(mask, from));
    }
  }

  const Conv& conv_;
  const int64_t first_, count_;
  const uint16_t* const in_;
  uint16_t* free_;
};

// Which weights a thread still has to fetch during a step.
void begin_fetch(Beside& beside, const Conv& conv, int64_t steps) {
  const Ahead& ahead = conv.ahead;
  const int64_t threads = omp_get_num_threads(), thread = omp_get_thread_num();
  const int64_t parts = ahead.shared ? 1 : threads, part = ahead.shared ? 0 : thread;
  beside.line = ahead.start + ahead.bytes / 64 * part / parts * 64;
  beside.end = ahead.start + ahead.bytes / 64 * (part + 1) / parts * 64;
  const int64_t all = ceil_div(steps * conv.out_pixels * conv.batch * conv.panel_count, 2 * TILE);
  beside.lines_per_step = ceil_div((beside.end - beside.line) / 64, ceil_div(all, threads));
  if (beside.lines_per_step > MOST_LINES) beside.lines_per_step = MOST_LINES;
}

// A chunk of pixels times one of the groups of panels. Groups go last from task to task: so where
// there are several, a thread reads its part of the weights, not all.
template <int P>
void conv_tiles_task(const Conv& conv, int64_t task) {
  alignas(64) thread_local float sums[2][4 * TILE * TILE];
  thread_local Scratch gathered;
  thread_local std::vector<TileRows> places;
  thread_local Beside beside;
  thread_local const Conv* current = nullptr;
  const int64_t chunks = ceil_div(conv.out_pixels, conv.chunk);
  const int64_t group = task / chunks / conv.batch, image = task / chunks % conv.batch;
  const int64_t first = task % chunks * conv.chunk;
  const int64_t count = first + conv.chunk < conv.out_pixels ? conv.chunk : conv.out_pixels - first;
  const int64_t taps = TileInput::taps(conv), depth = TileInput::depth(conv);
  const int64_t blocks = ceil_div(count, TILE), steps = taps * depth / DEPTH;
  places.resize(blocks * taps);
  float* memory = gathered.take(blocks * taps * P * TILE * depth / 2);
  TileInput(conv, image, first, count, memory).place(places.data());
  if (current != &conv) begin_fetch(beside, conv, steps);
  current = &conv;
  _tile_loadconfig(&tile_config);
  int flip = 0;
  const int64_t end = conv.panel_count * (group + 1) / conv.groups;
  for (int64_t i = conv.panel_count * group / conv.groups; i < end; ++i) {
    const Panel& panel = conv.panels[i];
    const auto* weight = static_cast<const uint16_t*>(panel.weight);
    for (int64_t block = 0; block < blocks; block += 2, flip ^= 1) {
      const int64_t two = block + 1 < blocks ? 2 : 1, left = count - block * TILE;
      tile_blocks<P>[two][panel.vectors](&places[block * taps], taps, depth, weight, sums[flip],
                                         beside);
      beside.finish();
      const int64_t pixel = image * conv.out_pixels + first + block * TILE;
      beside.pending = {panel, sums[flip], pixel, left < two * TILE ? left : two * TILE};
    }
  }
  _tile_release();
  beside.finish();
}

int64_t conv_tiles_tasks(const Conv& conv) {
  return int64_t(conv.batch) * conv.groups * ceil_div(conv.out_pixels, conv.chunk);
}

}  // namespace
#endif
