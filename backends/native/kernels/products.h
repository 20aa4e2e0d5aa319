// Products of pixels and panels: convolutions through a table of pixels, and Winograd's products.
//
// A convolution multiplies blocks of ROWS output pixels by panels of up to MAX_VECTORS vectors
// of output channels, held in registers; a table of pixel indices says which input pixel each
// tap reads, so stride, padding and dilation cost nothing (the indirection of XNNPACK,
// Dukhan, arXiv 1907.02129). Epilogues add the bias and the residual and apply the floor (0 for
// ReLU, minus infinity for none) and write anywhere: into the slice of a concat, for one.

#pragma once

#include <omp.h>

#include "steps.h"
#include "vectors.h"

namespace {

// Channels ahead of which weights are brought into the first-level cache: 4 to 10 % on a Xeon.
constexpr int64_t AHEAD = 16;

// Weights that come next, brought into the second-level cache meanwhile, a line per channel: a
// fifth of a Winograd product. It costs a twentieth where what comes next is there already.
template <bool FETCH>
struct Next {
  const char* line;
  explicit Next(const void* weight) : line(static_cast<const char*>(weight)) {}
  void fetch() {
    if constexpr (FETCH) {
      __builtin_prefetch(line, 0, 2);
      line += 64;
    }
  }
};

template <bool FETCH, int R, int V>
inline void multiply(const float* const* rows, int64_t channels, const float*& weight,
                     Next<FETCH>& next, vec (&sum)[R][V]) {
  const float* row[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) row[r] = rows[r];
  for (int64_t c = 0; c < channels; ++c, weight += V * WIDTH) {
    vec w[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      w[v] = load(weight + v * WIDTH);
      __builtin_prefetch(weight + (AHEAD * V + v) * WIDTH);
    }
    next.fetch();
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float x = row[r][c];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += x * w[v];
    }
  }
}

#ifdef __AVX512BF16__
template <bool FETCH, int R, int V>
inline void multiply(const uint16_t* const* rows, int64_t pairs, const uint16_t*& weight,
                     Next<FETCH>&, vec (&sum)[R][V]) {
  const uint16_t* row[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) row[r] = rows[r];
  for (int64_t c = 0; c < pairs; ++c, weight += V * WIDTH * 2) {
    __m512bh w[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) w[v] = (__m512bh)_mm512_loadu_si512(weight + v * WIDTH * 2);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      int32_t pair;
      std::memcpy(&pair, row[r] + 2 * c, 4);
      const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] = (vec)_mm512_dpbf16_ps((__m512)sum[r][v], x, w[v]);
    }
  }
}
#endif

inline void finish(const Target& target, int64_t pixel, vec value, vec bias, vec floor) {
  value += bias;
  const int64_t to = pixel * target.out_stride, from = pixel * target.add_stride;
  if (target.channels == WIDTH) {
    if (target.add) value += load(target.add + from);
    if (target.add_rounded) value += load_parts(target.add_rounded + from, target.low);
    value = larger(floor, value);
    if (target.out) store(target.out + to, value);
    if (target.rounded) store_parts(target.rounded + to, target.low, value);
    return;
  }
  for (int64_t i = 0; i < target.channels; ++i) {
    float x = value[i];
    if (target.add) x += target.add[from + i];
    if (target.add_rounded) x += load_one(target.add_rounded + from + i, target.low);
    x = floor[i] > x ? floor[i] : x;
    if (target.out) target.out[to + i] = x;
    if (target.rounded) store_one(target.rounded + to + i, target.low, x);
  }
}

template <class T, bool FETCH, int R, int V>
void conv_block(const Conv& conv, const Panel& panel, int64_t image, int64_t first,
                Next<FETCH>& next) {
  vec sum[R][V] = {};
  const T* weight = static_cast<const T*>(panel.weight);
  const T* in = static_cast<const T*>(conv.in) + image * conv.in_pixels * conv.in_stride;
  const int32_t* table = conv.table + first * conv.taps;
  const int64_t pixel = image * conv.out_pixels + first;
  // What the epilogue will touch comes into the cache during the products: a tenth of a 1x1 with a
  // residual. (Not a function of its own: GCC takes one that only prefetches for one without
  // effect, and leaves out the call.)
  for (int v = 0; v < V; ++v) {
    const Target& target = panel.targets[v];
    for (int r = 0; r < R; ++r) {
      if (target.add) __builtin_prefetch(target.add + (pixel + r) * target.add_stride);
      if (target.out) __builtin_prefetch(target.out + (pixel + r) * target.out_stride, 1);
    }
  }
  for (int t = 0; t < conv.taps; ++t) {
    const T* rows[R];
    for (int r = 0; r < R; ++r) {
      const int32_t pixel = table[r * conv.taps + t];
      rows[r] = pixel < 0 ? static_cast<const T*>(conv.zeros) : in + pixel * conv.in_stride;
    }
    multiply(rows, conv.channels, weight, next, sum);
  }
#pragma GCC unroll 4
  for (int v = 0; v < V; ++v) {
    const Target target = panel.targets[v];  // a copy: the stores below could change the original
    const vec bias = load(panel.bias + v * WIDTH), floor = load(panel.floor + v * WIDTH);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) finish(target, pixel + r, sum[r][v], bias, floor);
  }
}

template <int R, int V>
void product_block(const float* in, int64_t channels, const float* weight, Next<true>& next,
                   float* out) {
  vec sum[R][V] = {};
  const float* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = in + r * channels;
  multiply(rows, channels, weight, next, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(out + (r * V + v) * WIDTH, sum[r][v]);
}

template <class Block>
using Blocks = const Block[MAX_VECTORS + 1][MAX_ROWS + 1];
template <bool FETCH>
using ConvBlock = void (*)(const Conv&, const Panel&, int64_t, int64_t, Next<FETCH>&);
typedef void (*ProductBlock)(const float*, int64_t, const float*, Next<true>&, float*);

// A function for every number of rows and vectors.
#define ROWS_OF(f, V) {nullptr, f(1, V), f(2, V), f(3, V), f(4, V), f(5, V), f(6, V), f(7, V), f(8, V)}
#ifdef __AVX512F__
#define ALL_BLOCKS(f) {{}, ROWS_OF(f, 1), ROWS_OF(f, 2), ROWS_OF(f, 3), ROWS_OF(f, 4)}
#else
#define ALL_BLOCKS(f) {{}, ROWS_OF(f, 1), ROWS_OF(f, 2)}
#endif
#define CONV_BLOCK(R, V) conv_block<T, FETCH, R, V>
#define PRODUCT_BLOCK(R, V) product_block<R, V>
template <class T, bool FETCH>
constexpr Blocks<ConvBlock<FETCH>> conv_blocks = ALL_BLOCKS(CONV_BLOCK);
constexpr Blocks<ProductBlock> product_blocks = ALL_BLOCKS(PRODUCT_BLOCK);

// Rows of a block such that all blocks are about equal: 18 rows are 6, 6, 6 and not 8, 8, 2.
inline int64_t even_rows(int64_t count, int64_t vectors) {
  return ceil_div(count, ceil_div(count, ROWS[vectors]));
}

// The first output channel of a panel.
inline int64_t first_channel(const Panel* panels, int64_t index) {
  int64_t vectors = 0;
  for (int64_t i = 0; i < index; ++i) vectors += panels[i].vectors;
  return vectors * WIDTH;
}

inline int64_t chunks_of(const Conv& conv) {
  return int64_t(conv.batch) * ceil_div(conv.out_pixels, conv.chunk);
}

template <class T, bool FETCH>
void conv_task(const Conv& conv, int64_t task) {
  const int64_t chunks = ceil_div(conv.out_pixels, conv.chunk);
  const int64_t image = task / (chunks * conv.panel_count);
  const Panel& panel = conv.panels[task % conv.panel_count];
  int64_t at = task / conv.panel_count % chunks * conv.chunk;
  const int64_t end = at + conv.chunk < conv.out_pixels ? at + conv.chunk : conv.out_pixels;
  const int64_t rows = even_rows(end - at, panel.vectors);
  const int64_t following = (task + 1) % conv.panel_count;
  Next<FETCH> next(conv.panels[following].weight);
  for (; at < end; at += rows)
    conv_blocks<T, FETCH>[panel.vectors][at + rows < end ? rows : end - at](conv, panel, image, at,
                                                                           next);
}

// Whether weights are fetched ahead: where a thread takes them once or twice, so that they come
// from far away. (Products in bfloat16 never: it had no effect.)
inline bool fetches(const Conv& conv) {
  return chunks_of(conv) <= 2 * int64_t(omp_get_num_threads());
}

int64_t conv_tasks(const Conv& c) { return c.panel_count * chunks_of(c); }

}  // namespace
