// Products by matrix tiles (AMX): 16 pixels times 16 output channels, 32 input channels deep.
//
// A product of two bfloat16 values is exact in float32, so a float32 in two parts, its rounding to
// bfloat16 and what that left over, gives a product with 16 bits of each factor from three products
// of parts (Henry, Tang, Heinecke, arXiv 1904.06376); the product of the two remainders is dropped.

#pragma once

#include <omp.h>
#include <vector>

#include "tile_input.h"
#include "tile_sums.h"

#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>

namespace {

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

// Which weights a thread still has to fetch during a step; of a network that is gone by now, the
// addresses do no harm.
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
