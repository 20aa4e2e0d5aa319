// Kernels of the native CPU target: float32, channels last, one table of steps per network.
//
// A convolution multiplies blocks of ROWS output pixels by panels of up to MAX_VECTORS vectors
// of output channels, held in registers; a table of pixel indices says which input pixel each
// tap reads, so stride, padding and dilation cost nothing (the indirection of XNNPACK,
// Dukhan, arXiv 1907.02129). Epilogues add the bias and the residual and apply the floor (0 for
// ReLU, minus infinity for none) and write anywhere: into the slice of a concat, for one.
// Winograd convolutions are the same product once per interpolation point.

#include <atomic>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <omp.h>
#include <vector>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

#ifdef __AVX512F__
constexpr int WIDTH = 16, MAX_VECTORS = 4;
constexpr int ROWS[] = {0, 8, 8, 8, 6};  // 32 registers: rows * vectors + vectors + 1
#else
constexpr int WIDTH = 8, MAX_VECTORS = 2;
constexpr int ROWS[] = {0, 6, 6};  // 16 registers
#endif
constexpr int MAX_ROWS = 8, MAX_POINTS = 64, TILE_BLOCK = 24;

typedef float vec __attribute__((vector_size(WIDTH * 4), aligned(4), may_alias));

inline vec load(const float* p) { return *reinterpret_cast<const vec*>(p); }
inline vec load(const uint16_t* p) {  // of bfloat16, the upper halves of floats
#ifdef __AVX512F__
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
#else
  vec v;
  for (int i = 0; i < WIDTH; ++i) {
    const uint32_t bits = uint32_t(p[i]) << 16;
    float x;
    std::memcpy(&x, &bits, 4);
    v[i] = x;
  }
  return v;
#endif
}
inline void store(float* p, vec v) { *reinterpret_cast<vec*>(p) = v; }
inline vec larger(vec floor, vec v) {  // NaN in v stays
#ifdef __AVX512F__
  return (vec)_mm512_max_ps((__m512)floor, (__m512)v);
#else
  return floor > v ? floor : v;
#endif
}

// Some lanes of a vector, `stride` floats apart in memory.
inline vec load_lanes(const float* p, int64_t stride, int64_t lanes) {
  if (stride == 1 && lanes == WIDTH) return load(p);
  vec v = {};
  for (int64_t i = 0; i < lanes; ++i) v[i] = p[i * stride];
  return v;
}

inline void store_lanes(float* p, int64_t stride, int64_t lanes, vec v) {
  if (stride == 1 && lanes == WIDTH) return store(p, v);
  for (int64_t i = 0; i < lanes; ++i) p[i * stride] = v[i];
}

inline uint16_t to_bfloat16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  if (x != x) return uint16_t(bits >> 16) | 0x40;  // NaN stays NaN
  return uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

inline void store_rounded(uint16_t* p, vec v) {
#ifdef __AVX512BF16__
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh((__m512)v));
#else
  for (int i = 0; i < WIDTH; ++i) p[i] = to_bfloat16(v[i]);
#endif
}

}  // namespace

extern "C" {

// Where one vector of output channels goes, and what happens to it on the way.
struct Target {
  float* out;          // null where only bfloat16 is wanted
  uint16_t* rounded;   // the same in bfloat16, or null
  const float* add;    // residual, or null
  int64_t out_stride;  // elements from pixel to pixel, of `out` and `rounded`
  int64_t add_stride;
  int64_t channels;    // at most WIDTH
};

// Some vectors of output channels: their weights, and bias, floor and target of each.
struct Panel {
  const void* weight;  // float; bfloat16 in pairs for the bfloat16 product
  const float *bias, *floor;
  const Target* targets;
  int64_t vectors;
};

struct Conv {
  const void* in;  // float, or bfloat16 in pairs of channels
  int64_t in_stride, in_pixels, out_pixels;  // pixels of one image
  const int32_t* table;                      // [out_pixels][taps]: input pixel, -1 for padding
  const void* zeros;
  const Panel* panels;
  int32_t batch, taps, channels, panel_count, chunk;
};

typedef void (*DataTransform)(const void* const* pixels, int64_t channels, float* out,
                              int64_t point_stride);
typedef void (*OutputTransform)(const float* products, int64_t point_stride, int32_t vectors,
                                float* out);

struct Winograd {
  const void* in;     // what `data` reads: float or bfloat16
  int64_t in_stride;  // elements
  const void* zeros;
  float* points;  // [points][tiles][channels], the input there; null where a task keeps its own
  DataTransform data;
  OutputTransform output;
  const Panel* panels;
  int32_t channels, panel_count, first_tile, tiles, chunk;
  int32_t in_height, in_width, out_height, out_width, pad_top, pad_left;
  int32_t tiles_down, tiles_across, outputs_down, outputs_across, points_down, points_across;
  int32_t element;  // bytes of a value of the input
};

typedef void (*FilterTransform)(const float* weight, int64_t row, int64_t column, int64_t lane,
                                int64_t lanes, float* out, int64_t point_stride);
typedef void (*TapTransform)(const float* sums, int64_t point_stride, float* weight, int64_t row,
                             int64_t column, int64_t lane, int64_t lanes, bool add);

// Filters at the interpolation points, written to where the panels have their weights.
struct Filters {
  const float* weight;  // as the network has it, by strides; negative ones turn the taps round
  FilterTransform transform;
  const Panel* panels;
  int64_t out_stride, in_stride, row_stride, column_stride;
  int32_t channels, panel_count;
};

// The gradient of a weight: per point the product of what the inputs and the gradients of the
// outputs are there, summed over the tiles, then taken back to the taps.
struct WeightGradient {
  const float *in, *out;  // [points][tiles][channels], see `point_stride`
  int64_t in_point_stride, out_point_stride;
  TapTransform transform;
  float* weight;
  int64_t out_stride, in_stride, row_stride, column_stride;
  int32_t in_channels, out_channels, tiles, points, add;
};

struct Pool {
  const float* in;
  float* out;         // null where only bfloat16 is wanted
  uint16_t* rounded;  // the same in bfloat16, or null
  int64_t in_stride, out_stride;
  float floor;
  int32_t batch, channels, in_height, in_width, out_height, out_width;
  int32_t kernel_height, kernel_width, stride_height, stride_width, pad_top, pad_left;
  int32_t mean, count_pad, pad_bottom, pad_right;
};

struct GlobalPool {
  const float* in;
  float* out;
  int64_t in_stride, out_stride;
  int32_t batch, channels, pixels, mean;
};

struct Elementwise {
  const float *a, *b;  // b null: copy
  float* out;
  int64_t a_stride, b_stride, out_stride, pixels;
  float floor, factor;  // out = max(floor, a * factor + b)
  int32_t channels;
};

struct Rounding {
  const float* in;
  uint16_t* out;  // bfloat16, pixels of `channels` rounded up to even
  int64_t in_stride, pixels;
  int32_t channels;
};

struct Rows {
  const float* in;
  float* out;
  int64_t in_stride, out_stride;
  int32_t rows, channels;
};

enum Kind : int32_t { CONV, WINOGRAD, WINOGRAD_DATA, POOL, GLOBAL_POOL, ELEMENTWISE,
                      SOFTMAX, NORMALIZE, ROUND, CONV_BFLOAT16, FILTERS, WEIGHT_GRADIENT };

struct Step {
  int64_t kind;
  const void* args;
};

}  // extern "C"

namespace {

template <int R, int V>
inline void multiply(const float* const* rows, int64_t channels, const float*& weight,
                     vec (&sum)[R][V]) {
  const float* row[R];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r) row[r] = rows[r];
  for (int64_t c = 0; c < channels; ++c, weight += V * WIDTH) {
    vec w[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) w[v] = load(weight + v * WIDTH);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float x = row[r][c];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += x * w[v];
    }
  }
}

#ifdef __AVX512BF16__
template <int R, int V>
inline void multiply(const uint16_t* const* rows, int64_t pairs, const uint16_t*& weight,
                     vec (&sum)[R][V]) {
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
  const int64_t to = pixel * target.out_stride;
  const float* add = target.add ? target.add + pixel * target.add_stride : nullptr;
  if (target.channels == WIDTH) {
    if (add) value += load(add);
    value = larger(floor, value);
    if (target.out) store(target.out + to, value);
    if (target.rounded) store_rounded(target.rounded + to, value);
    return;
  }
  for (int64_t i = 0; i < target.channels; ++i) {
    float x = add ? value[i] + add[i] : value[i];
    x = floor[i] > x ? floor[i] : x;
    if (target.out) target.out[to + i] = x;
    if (target.rounded) target.rounded[to + i] = to_bfloat16(x);
  }
}

template <class T, int R, int V>
void conv_block(const Conv& conv, const Panel& panel, int64_t image, int64_t first) {
  vec sum[R][V] = {};
  const T* weight = static_cast<const T*>(panel.weight);
  const T* in = static_cast<const T*>(conv.in) + image * conv.in_pixels * conv.in_stride;
  const int32_t* table = conv.table + first * conv.taps;
  const int64_t pixel = image * conv.out_pixels + first;
  for (int t = 0; t < conv.taps; ++t) {
    const T* rows[R];
    for (int r = 0; r < R; ++r) {
      const int32_t pixel = table[r * conv.taps + t];
      rows[r] = pixel < 0 ? static_cast<const T*>(conv.zeros) : in + pixel * conv.in_stride;
    }
    multiply<R, V>(rows, conv.channels, weight, sum);
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
void conv_block32(const Conv& conv, const Panel& panel, int64_t image, int64_t first) {
  conv_block<float, R, V>(conv, panel, image, first);
}

#ifdef __AVX512BF16__
template <int R, int V>
void conv_block16(const Conv& conv, const Panel& panel, int64_t image, int64_t first) {
  conv_block<uint16_t, R, V>(conv, panel, image, first);
}
#endif

template <int R, int V>
void product_block(const float* in, int64_t channels, const float* weight, float* out) {
  vec sum[R][V] = {};
  const float* rows[R];
  for (int r = 0; r < R; ++r) rows[r] = in + r * channels;
  multiply<R, V>(rows, channels, weight, sum);
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(out + (r * V + v) * WIDTH, sum[r][v]);
}

typedef void (*ConvBlock)(const Conv&, const Panel&, int64_t, int64_t);
typedef void (*ProductBlock)(const float*, int64_t, const float*, float*);

#define BLOCKS(f, V) {nullptr, f<1, V>, f<2, V>, f<3, V>, f<4, V>, f<5, V>, f<6, V>, f<7, V>, f<8, V>}
#ifdef __AVX512F__
#define ALL_BLOCKS(f) {{}, BLOCKS(f, 1), BLOCKS(f, 2), BLOCKS(f, 3), BLOCKS(f, 4)}
#else
#define ALL_BLOCKS(f) {{}, BLOCKS(f, 1), BLOCKS(f, 2)}
#endif
const ConvBlock conv_blocks[MAX_VECTORS + 1][MAX_ROWS + 1] = ALL_BLOCKS(conv_block32);
#ifdef __AVX512BF16__
const ConvBlock conv_blocks16[MAX_VECTORS + 1][MAX_ROWS + 1] = ALL_BLOCKS(conv_block16);
#endif
const ProductBlock product_blocks[MAX_VECTORS + 1][MAX_ROWS + 1] = ALL_BLOCKS(product_block);

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of a block such that all blocks are about equal: 18 rows are 6, 6, 6 and not 8, 8, 2.
inline int64_t even_rows(int64_t count, int64_t vectors) {
  return ceil_div(count, ceil_div(count, ROWS[vectors]));
}

typedef const ConvBlock BlockTable[MAX_VECTORS + 1][MAX_ROWS + 1];

template <BlockTable& blocks>
void conv_task(const Conv& conv, int64_t task) {
  const int64_t chunks = ceil_div(conv.out_pixels, conv.chunk);
  const int64_t image = task / (chunks * conv.panel_count);
  const Panel& panel = conv.panels[task % conv.panel_count];
  int64_t at = task / conv.panel_count % chunks * conv.chunk;
  const int64_t end = at + conv.chunk < conv.out_pixels ? at + conv.chunk : conv.out_pixels;
  const int64_t rows = even_rows(end - at, panel.vectors);
  for (; at < end; at += rows)
    blocks[panel.vectors][at + rows < end ? rows : end - at](conv, panel, image, at);
}

struct Tile {
  int64_t image;
  int32_t top, left;  // of its outputs
};

// Floats from point to point of some transformed tiles: an odd number of cache lines, for 64
// points at an even distance would fall into the same few sets of the first-level cache.
inline int64_t point_stride(int64_t tiles, int64_t channels) {
  return (tiles * channels / 16 | 1) * 16;
}

// Memory of one thread that grows to what a task of its needs, on a cache line's boundary.
class Scratch {
 public:
  float* take(int64_t floats) {
    if (floats > size_) {
      std::free(start_);
      start_ = static_cast<float*>(std::aligned_alloc(64, (floats + 15) / 16 * 64));
      size_ = floats;
    }
    return start_;
  }
  ~Scratch() { std::free(start_); }

 private:
  float* start_ = nullptr;
  int64_t size_ = 0;
};

inline Tile tile_at(const Winograd& w, int64_t tile) {
  const int64_t per_image = int64_t(w.tiles_down) * w.tiles_across;
  const int64_t in_image = tile % per_image;
  return {tile / per_image, int32_t(in_image / w.tiles_across) * w.outputs_down,
          int32_t(in_image % w.tiles_across) * w.outputs_across};
}

void winograd_data(const Winograd& w, const Tile& tile, float* out, int64_t stride) {
  const void* pixels[MAX_POINTS];
  const int64_t step = w.in_stride * w.element;
  const char* in = static_cast<const char*>(w.in) + tile.image * w.in_height * w.in_width * step;
  int at = 0;
  for (int i = 0; i < w.points_down; ++i)
    for (int j = 0; j < w.points_across; ++j, ++at) {
      const int y = tile.top - w.pad_top + i, x = tile.left - w.pad_left + j;
      const bool inside = y >= 0 && y < w.in_height && x >= 0 && x < w.in_width;
      pixels[at] = inside ? in + (int64_t(y) * w.in_width + x) * step : w.zeros;
    }
  w.data(pixels, w.channels, out, stride);
}

constexpr int64_t TILES_PER_TASK = 4;

void winograd_data_task(const Winograd& w, int64_t task) {
  const int64_t end = (task + 1) * TILES_PER_TASK < w.tiles ? (task + 1) * TILES_PER_TASK : w.tiles;
  const int64_t stride = point_stride(w.tiles, w.channels);
  for (int64_t tile = task * TILES_PER_TASK; tile < end; ++tile)
    winograd_data(w, tile_at(w, w.first_tile + tile), w.points + tile * w.channels, stride);
}

void winograd_write(const Winograd& w, const Panel& panel, const Tile& tile, const float* y) {
  for (int i = 0; i < w.outputs_down; ++i)
    for (int j = 0; j < w.outputs_across; ++j, y += panel.vectors * WIDTH) {
      if (tile.top + i >= w.out_height || tile.left + j >= w.out_width) continue;
      const int64_t pixel =
          (tile.image * w.out_height + tile.top + i) * w.out_width + tile.left + j;
      for (int v = 0; v < panel.vectors; ++v) {
        const int at = v * WIDTH;
        finish(panel.targets[v], pixel, load(y + at), load(panel.bias + at),
               load(panel.floor + at));
      }
    }
}

// Some tiles from the input to the output: what lies between stays in one thread's caches.
void winograd_task(const Winograd& w, int64_t task) {
  alignas(64) thread_local float sums[MAX_POINTS * (TILE_BLOCK * MAX_VECTORS + 1) * WIDTH];
  alignas(64) thread_local float y[MAX_POINTS * MAX_VECTORS * WIDTH];
  thread_local Scratch scratch;
  const int64_t from = task * w.chunk;
  const int64_t tiles = from + w.chunk < w.tiles ? w.chunk : w.tiles - from;
  const int64_t points = int64_t(w.points_down) * w.points_across;
  const int64_t stride = point_stride(tiles, w.channels);
  float* at_points = scratch.take(points * stride);
  for (int64_t t = 0; t < tiles; ++t)
    winograd_data(w, tile_at(w, w.first_tile + from + t), at_points + t * w.channels, stride);
  for (int64_t i = 0; i < w.panel_count; ++i) {
    const Panel& panel = w.panels[i];
    const int64_t row_size = panel.vectors * WIDTH;
    const int64_t sum_stride = TILE_BLOCK * row_size + WIDTH;  // odd, as `point_stride` is
    for (int64_t first = 0; first < tiles; first += TILE_BLOCK) {
      const int64_t count = first + TILE_BLOCK < tiles ? TILE_BLOCK : tiles - first;
      const int64_t rows = even_rows(count, panel.vectors);
      for (int64_t p = 0; p < points; ++p) {
        const float* in = at_points + p * stride + first * w.channels;
        const float* weight = static_cast<const float*>(panel.weight) + p * w.channels * row_size;
        float* out = sums + p * sum_stride;
        for (int64_t at = 0; at < count; at += rows) {
          const int64_t block = at + rows < count ? rows : count - at;
          product_blocks[panel.vectors][block](in + at * w.channels, w.channels, weight,
                                               out + at * row_size);
        }
      }
      for (int64_t t = 0; t < count; ++t) {
        w.output(sums + t * row_size, sum_stride, panel.vectors, y);
        winograd_write(w, panel, tile_at(w, w.first_tile + from + first + t), y);
      }
    }
  }
}

constexpr int64_t CHANNELS_PER_TASK = 16;

void filters_task(const Filters& f, int64_t task) {
  const int64_t blocks = ceil_div(f.channels, CHANNELS_PER_TASK);
  int64_t lane = 0;
  for (int64_t i = 0; i < task / blocks; ++i) lane += f.panels[i].vectors * WIDTH;
  const Panel& panel = f.panels[task / blocks];
  const int64_t row_size = panel.vectors * WIDTH, first = task % blocks * CHANNELS_PER_TASK;
  const int64_t end = first + CHANNELS_PER_TASK < f.channels ? first + CHANNELS_PER_TASK : f.channels;
  float* out = static_cast<float*>(const_cast<void*>(panel.weight));
  for (int64_t c = first; c < end; ++c)
    for (int64_t v = 0; v < panel.vectors; ++v)
      f.transform(f.weight + c * f.in_stride + (lane + v * WIDTH) * f.out_stride, f.row_stride,
                  f.column_stride, f.out_stride, panel.targets[v].channels,
                  out + c * row_size + v * WIDTH, f.channels * row_size);
}

// R channels of `a` times V vectors of channels of `b`, summed over the tiles.
template <int R, int V>
void outer_block(const float* a, int64_t a_stride, const float* b, int64_t b_stride, int64_t tiles,
                 float* out) {
  vec sum[R][V] = {};
  for (int64_t t = 0; t < tiles; ++t, a += a_stride, b += b_stride) {
    vec w[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) w[v] = load(b + v * WIDTH);
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
      const float x = a[r];
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += x * w[v];
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) store(out + (r * V + v) * WIDTH, sum[r][v]);
}

typedef void (*OuterBlock)(const float*, int64_t, const float*, int64_t, int64_t, float*);
const OuterBlock outer_blocks[MAX_VECTORS + 1][MAX_ROWS + 1] = ALL_BLOCKS(outer_block);

inline int64_t gradient_panels(const WeightGradient& g) {
  return ceil_div(g.in_channels, MAX_VECTORS * WIDTH);
}

// A block of output channels times a panel of input channels, whose lanes lie side by side in
// a weight that is channels last.
void weight_gradient_task(const WeightGradient& g, int64_t task) {
  alignas(64) thread_local float sums[MAX_POINTS * (TILE_BLOCK * MAX_VECTORS + 1) * WIDTH];
  const int64_t blocks = ceil_div(g.out_channels, TILE_BLOCK), panels = gradient_panels(g);
  const int64_t all = g.in_channels / WIDTH, panel = task / blocks;
  const int64_t vector = all * panel / panels, vectors = all * (panel + 1) / panels - vector;
  const int64_t first = task % blocks * TILE_BLOCK;
  const int64_t count = first + TILE_BLOCK < g.out_channels ? TILE_BLOCK : g.out_channels - first;
  const int64_t rows = even_rows(count, vectors), row_size = vectors * WIDTH;
  const int64_t sum_stride = TILE_BLOCK * row_size + WIDTH;
  for (int64_t p = 0; p < g.points; ++p) {
    const float* in = g.in + p * g.in_point_stride + vector * WIDTH;
    const float* out = g.out + p * g.out_point_stride + first;
    for (int64_t at = 0; at < count; at += rows)
      outer_blocks[vectors][at + rows < count ? rows : count - at](
          out + at, g.out_channels, in, g.in_channels, g.tiles,
          sums + p * sum_stride + at * row_size);
  }
  for (int64_t r = 0; r < count; ++r)
    for (int64_t v = 0; v < vectors; ++v)
      g.transform(sums + r * row_size + v * WIDTH, sum_stride,
                  g.weight + (first + r) * g.out_stride + (vector + v) * WIDTH * g.in_stride,
                  g.row_stride, g.column_stride, g.in_stride, WIDTH, g.add);
}

// One row of outputs of one image.
void pool_task(const Pool& p, int64_t task) {
  const int64_t image = task / p.out_height;
  const int row = int(task % p.out_height);
  const float* in = p.in + image * p.in_height * p.in_width * p.in_stride;
  const int y0 = row * p.stride_height - p.pad_top;
  const int top = y0 < 0 ? 0 : y0;
  const int bottom = y0 + p.kernel_height < p.in_height ? y0 + p.kernel_height : p.in_height;
  const int padded_bottom = y0 + p.kernel_height < p.in_height + p.pad_bottom
                                ? y0 + p.kernel_height : p.in_height + p.pad_bottom;
  for (int col = 0; col < p.out_width; ++col) {
    const int x0 = col * p.stride_width - p.pad_left;
    const int left = x0 < 0 ? 0 : x0;
    const int right = x0 + p.kernel_width < p.in_width ? x0 + p.kernel_width : p.in_width;
    const int padded_right = x0 + p.kernel_width < p.in_width + p.pad_right
                                 ? x0 + p.kernel_width : p.in_width + p.pad_right;
    const int area = p.count_pad ? (padded_bottom - y0) * (padded_right - x0)
                                 : (bottom - top) * (right - left);
    const int64_t to = ((image * p.out_height + row) * p.out_width + col) * p.out_stride;
    const float scale = 1.0f / float(area);
    int64_t c = 0;
    for (; c + WIDTH <= p.channels; c += WIDTH) {
      vec sum = p.mean ? vec{} : vec{} - std::numeric_limits<float>::infinity();
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) {
          const vec value = load(in + (int64_t(y) * p.in_width + x) * p.in_stride + c);
          sum = p.mean ? sum + value : (sum > value ? sum : value);
        }
      sum = larger(vec{} + p.floor, p.mean ? sum * scale : sum);
      if (p.out) store(p.out + to + c, sum);
      if (p.rounded) store_rounded(p.rounded + to + c, sum);
    }
    for (; c < p.channels; ++c) {
      float sum = p.mean ? 0.0f : -std::numeric_limits<float>::infinity();
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) {
          const float value = in[(int64_t(y) * p.in_width + x) * p.in_stride + c];
          sum = p.mean ? sum + value : (sum > value ? sum : value);
        }
      sum = p.mean ? sum * scale : sum;
      sum = p.floor > sum ? p.floor : sum;
      if (p.out) p.out[to + c] = sum;
      if (p.rounded) p.rounded[to + c] = to_bfloat16(sum);
    }
  }
}

void global_pool_task(const GlobalPool& p, int64_t image) {
  const float* in = p.in + image * p.pixels * p.in_stride;
  float* out = p.out + image * p.out_stride;
  for (int c = 0; c < p.channels; ++c) out[c] = in[c];
  for (int x = 1; x < p.pixels; ++x)
    for (int c = 0; c < p.channels; ++c) {
      const float value = in[x * p.in_stride + c];
      out[c] = p.mean ? out[c] + value : (out[c] > value ? out[c] : value);
    }
  if (p.mean)
    for (int c = 0; c < p.channels; ++c) out[c] /= float(p.pixels);
}

constexpr int64_t PIXELS_PER_TASK = 64;

void elementwise_task(const Elementwise& e, int64_t task) {
  const int64_t end = (task + 1) * PIXELS_PER_TASK < e.pixels ? (task + 1) * PIXELS_PER_TASK
                                                              : e.pixels;
  for (int64_t x = task * PIXELS_PER_TASK; x < end; ++x) {
    const float *a = e.a + x * e.a_stride, *b = e.b ? e.b + x * e.b_stride : nullptr;
    float* out = e.out + x * e.out_stride;
    for (int c = 0; c < e.channels; ++c) {
      const float value = a[c] * e.factor + (b ? b[c] : 0.0f);
      out[c] = e.floor > value ? e.floor : value;
    }
  }
}

void softmax_task(const Rows& r, int64_t row) {
  const float* in = r.in + row * r.in_stride;
  float* out = r.out + row * r.out_stride;
  float top = in[0], sum = 0;
  for (int c = 1; c < r.channels; ++c) top = in[c] > top ? in[c] : top;
  for (int c = 0; c < r.channels; ++c) sum += out[c] = std::exp(in[c] - top);
  for (int c = 0; c < r.channels; ++c) out[c] /= sum;
}

void normalize_task(const Rows& r, int64_t row) {
  const float* in = r.in + row * r.in_stride;
  float* out = r.out + row * r.out_stride;
  double sum = 0;
  for (int c = 0; c < r.channels; ++c) sum += double(in[c]) * in[c];
  const float length = std::fmax(float(std::sqrt(sum)), 1e-12f);
  for (int c = 0; c < r.channels; ++c) out[c] = in[c] / length;
}

void round_task(const Rounding& r, int64_t task) {
  const int64_t end = (task + 1) * PIXELS_PER_TASK < r.pixels ? (task + 1) * PIXELS_PER_TASK
                                                              : r.pixels;
  const int64_t even = (r.channels + 1) / 2 * 2;
  for (int64_t x = task * PIXELS_PER_TASK; x < end; ++x) {
    const float* in = r.in + x * r.in_stride;
    uint16_t* out = r.out + x * even;
    int64_t c = 0;
    for (; c + WIDTH <= r.channels; c += WIDTH) store_rounded(out + c, load(in + c));
    for (; c < r.channels; ++c) out[c] = to_bfloat16(in[c]);
    if (c < even) out[c] = 0;
  }
}

int64_t conv_tasks(const Conv& c) {
  return int64_t(c.batch) * c.panel_count * ceil_div(c.out_pixels, c.chunk);
}

// How many tasks of a thread's share of a step are taken; each on a cache line of its own.
struct alignas(64) Share {
  std::atomic<int64_t> taken{0};
};

// One thread of some, with the shares of the step that it works on.
struct Worker {
  Share* shares;
  int64_t thread, threads;
};

// A thread takes the tasks of its own share in order, then what others have left. Tasks are in the
// order of images, then pixels or tiles, then panels, so from step to step a share is about the
// same part of the image: most of what a thread reads it wrote itself, which counts where the
// threads' caches are far apart.
template <class Args>
void run_tasks(const Step& step, const Worker& worker, int64_t count,
               void (*task)(const Args&, int64_t)) {
  const Args& args = *static_cast<const Args*>(step.args);
  for (int64_t i = 0; i < worker.threads; ++i) {
    const int64_t owner = (worker.thread + i) % worker.threads;
    const int64_t first = count * owner / worker.threads;
    const int64_t size = count * (owner + 1) / worker.threads - first;
    for (int64_t at; (at = worker.shares[owner].taken.fetch_add(1, std::memory_order_relaxed)) <
                     size;)
      task(args, first + at);
  }
}

void run_step(const Step& step, const Worker& worker) {
  switch (step.kind) {
    case CONV:
      return run_tasks(step, worker, conv_tasks(*static_cast<const Conv*>(step.args)),
                       conv_task<conv_blocks>);
#ifdef __AVX512BF16__
    case CONV_BFLOAT16:
      return run_tasks(step, worker, conv_tasks(*static_cast<const Conv*>(step.args)),
                       conv_task<conv_blocks16>);
#endif
    case ROUND:
      return run_tasks(step, worker,
                       ceil_div(static_cast<const Rounding*>(step.args)->pixels, PIXELS_PER_TASK),
                       round_task);
    case WINOGRAD_DATA:
      return run_tasks(step, worker,
                       ceil_div(static_cast<const Winograd*>(step.args)->tiles, TILES_PER_TASK),
                       winograd_data_task);
    case WINOGRAD: {
      const auto& w = *static_cast<const Winograd*>(step.args);
      return run_tasks(step, worker, ceil_div(w.tiles, w.chunk), winograd_task);
    }
    case FILTERS: {
      const auto& f = *static_cast<const Filters*>(step.args);
      return run_tasks(step, worker, f.panel_count * ceil_div(f.channels, CHANNELS_PER_TASK),
                       filters_task);
    }
    case WEIGHT_GRADIENT: {
      const auto& g = *static_cast<const WeightGradient*>(step.args);
      return run_tasks(step, worker, gradient_panels(g) * ceil_div(g.out_channels, TILE_BLOCK),
                       weight_gradient_task);
    }
    case POOL: {
      const auto& p = *static_cast<const Pool*>(step.args);
      return run_tasks(step, worker, int64_t(p.batch) * p.out_height, pool_task);
    }
    case GLOBAL_POOL:
      return run_tasks(step, worker, static_cast<const GlobalPool*>(step.args)->batch,
                       global_pool_task);
    case ELEMENTWISE: {
      const auto& e = *static_cast<const Elementwise*>(step.args);
      return run_tasks(step, worker, ceil_div(e.pixels, PIXELS_PER_TASK), elementwise_task);
    }
    case SOFTMAX:
      return run_tasks(step, worker, static_cast<const Rows*>(step.args)->rows, softmax_task);
    case NORMALIZE:
      return run_tasks(step, worker, static_cast<const Rows*>(step.args)->rows, normalize_task);
  }
}

// Where threads meet between steps. A short spin, then sleep: on a busy machine the thread that
// all wait for may need this very core (OpenMP's own barrier spins for milliseconds).
class Barrier {
 public:
  void wait(int threads) {
    const uint32_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      round_.notify_all();
      return;
    }
    for (int spin = 0; spin < 3000; ++spin) {
      if (round_.load(std::memory_order_acquire) != round) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    round_.wait(round, std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};  // apart: one is written while the other is watched
  alignas(64) std::atomic<uint32_t> round_{0};
};

}  // namespace

extern "C" {

int32_t netdraft_width() { return WIDTH; }
int32_t netdraft_max_vectors() { return MAX_VECTORS; }
#ifdef __AVX512BF16__
int32_t netdraft_has_bfloat16() { return 1; }
#else
int32_t netdraft_has_bfloat16() { return 0; }
#endif

void netdraft_run(const Step* steps, int64_t count, int32_t threads) {
  std::vector<Share> shares(count * threads);
  Barrier barrier;
#pragma omp parallel num_threads(threads)
  for (int64_t at = 0; at < count; ++at) {
    const int present = omp_get_num_threads();
    run_step(steps[at], {&shares[at * threads], omp_get_thread_num(), present});
    barrier.wait(present);
  }
}

// Wall-clock seconds of each step, for the profile.
void netdraft_profile(const Step* steps, int64_t count, int32_t threads, double* seconds) {
  for (int64_t at = 0; at < count; ++at) {
    const double start = omp_get_wtime();
    netdraft_run(steps + at, 1, threads);
    seconds[at] = omp_get_wtime() - start;
  }
}

}  // extern "C"
