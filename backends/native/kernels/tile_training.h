// What training needs of matrix tiles besides convolutions: packing weights that change with every
// step, and the gradient of a weight.
//
// A gradient of a weight is a sum over pixels: of a tap's input channels times output channels. So
// pixels are the depth of its tiles. The output's gradients are turned once, to [output channel]
// [pixel]; the input's pixels are brought in pairs for one tap and two vectors of channels at a
// time, and meet all output channels there.

#pragma once

#include "tiles.h"

#ifdef __AMX_BF16__
namespace {

// Turns 16 x 16 pairs of bfloat16: row i of 16 pairs becomes column i.
inline void turn_pairs(__m512i (&rows)[TILE]) {
  __m512i other[TILE];
#pragma GCC unroll 8
  for (int i = 0; i < TILE; i += 2) {
    other[i] = _mm512_unpacklo_epi32(rows[i], rows[i + 1]);
    other[i + 1] = _mm512_unpackhi_epi32(rows[i], rows[i + 1]);
  }
#pragma GCC unroll 4
  for (int i = 0; i < TILE; i += 4)
#pragma GCC unroll 2
    for (int j = 0; j < 2; ++j) {
      rows[i + 2 * j] = _mm512_unpacklo_epi64(other[i + j], other[i + j + 2]);
      rows[i + 2 * j + 1] = _mm512_unpackhi_epi64(other[i + j], other[i + j + 2]);
    }
#pragma GCC unroll 2
  for (int half = 0; half < TILE; half += 8)
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      other[half + j] = _mm512_shuffle_i32x4(rows[half + j], rows[half + j + 4], 0x88);
      other[half + j + 4] = _mm512_shuffle_i32x4(rows[half + j], rows[half + j + 4], 0xdd);
    }
#pragma GCC unroll 8
  for (int j = 0; j < 8; ++j) {
    rows[j] = _mm512_shuffle_i32x4(other[j], other[j + 8], 0x88);
    rows[j + 8] = _mm512_shuffle_i32x4(other[j], other[j + 8], 0xdd);
  }
}

inline __m512i pairs_of(__m256i first, __m256i second) {
  return _mm512_or_si512(_mm512_cvtepu16_epi32(first),
                         _mm512_slli_epi32(_mm512_cvtepu16_epi32(second), 16));
}

inline __m256i rounded(vec v) { return (__m256i)_mm512_cvtneps_pbh((__m512)v); }

// One tile of weights: 32 values of the depth, from one on, for some output channels. In one of two
// layouts a vector is read at a time: channels last turned, or for the input's gradient as it is.
void pack_tile(const TileFilters& f, int64_t channel, int64_t lanes, int64_t depth, uint16_t* out) {
  const auto value_at = [&](int64_t at) {
    const int64_t tap = at / f.channels;
    return f.weight + channel * f.out_stride + at % f.channels * f.in_stride +
           tap / f.columns * f.row_stride + tap % f.columns * f.column_stride;
  };
  const float* start = value_at(depth);
  const bool is_whole = lanes == TILE && depth % f.channels + DEPTH <= f.channels;
  __m512i rows[TILE];
  if (is_whole && f.in_stride == 1) {
    for (int lane = 0; lane < TILE; ++lane) {
      const float* from = start + lane * f.out_stride;
      rows[lane] = (__m512i)_mm512_cvtne2ps_pbh((__m512)load(from + WIDTH), (__m512)load(from));
    }
    turn_pairs(rows);
  } else if (is_whole && f.out_stride == 1) {
    for (int pair = 0; pair < TILE; ++pair) {
      const float* from = start + 2 * pair * f.in_stride;
      rows[pair] = pairs_of(rounded(load(from)), rounded(load(from + f.in_stride)));
    }
  } else {
    alignas(64) uint16_t values[TILE_VALUES] = {};
    const int64_t end = int64_t(f.channels) * f.taps;
    for (int64_t at = depth; at < depth + DEPTH && at < end; ++at) {
      const float* from = value_at(at);
      for (int64_t lane = 0; lane < lanes; ++lane)
        values[(at - depth) / 2 * DEPTH + 2 * lane + (at - depth) % 2] =
            to_bfloat16(from[lane * f.out_stride]);
    }
    std::memcpy(rows, values, sizeof values);
  }
  for (int pair = 0; pair < TILE; ++pair) _mm512_store_si512(out + pair * DEPTH, rows[pair]);
}

inline int64_t depth_tiles(const TileFilters& f) {
  return ceil_div(int64_t(f.taps) * f.channels, DEPTH);
}

// All weights of some tiles of the depth, of one panel.
void tile_filters_task(const TileFilters& f, int64_t task) {
  const int64_t tiles = depth_tiles(f), index = task / tiles, tile = task % tiles;
  const Panel& panel = f.panels[index];
  auto* out = static_cast<uint16_t*>(const_cast<void*>(panel.weight));
  out += tile * panel.vectors * TILE_VALUES;
  int64_t channel = first_channel(f.panels, index);
  for (int64_t v = 0; v < panel.vectors; ++v, channel += WIDTH, out += TILE_VALUES)
    pack_tile(f, channel, panel.targets[v].channels, tile * DEPTH, out);
}

// Pairs of the pixels at `rows`, 16 channels of each.
inline void load_pairs(const uint16_t* const* rows, int64_t channel, __m512i (&pairs)[TILE]) {
#pragma GCC unroll 16
  for (int pair = 0; pair < TILE; ++pair)
    pairs[pair] = pairs_of(
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[2 * pair] + channel)),
        _mm256_loadu_si256(reinterpret_cast<const __m256i*>(rows[2 * pair + 1] + channel)));
}

inline int64_t pixel_blocks(const TileGradient& g) {
  return ceil_div(int64_t(g.batch) * g.out_pixels, DEPTH);
}

// The gradients of 32 pixels, turned: [16 output channels][32 pixels] after each other.
void turn_task(const TileGradient& g, int64_t block) {
  const uint16_t* rows[DEPTH];
  const int64_t all = int64_t(g.batch) * g.out_pixels;
  for (int64_t p = 0; p < DEPTH; ++p) {
    const int64_t pixel = block * DEPTH + p;
    rows[p] = pixel < all ? g.gradient + pixel * g.gradient_stride : g.zeros;
  }
  for (int64_t channel = 0; channel < g.out_channels; channel += TILE) {
    __m512i pairs[TILE];
    load_pairs(rows, channel, pairs);
    turn_pairs(pairs);
    uint16_t* out = g.turned + (channel / TILE * pixel_blocks(g) + block) * TILE_VALUES;
    for (int row = 0; row < TILE; ++row) _mm512_store_si512(out + row * DEPTH, pairs[row]);
  }
}

constexpr int64_t BLOCKS_AT_ONCE = 64;  // of 32 pixels: 128 KB for 32 channels

// Brings the pixels of some blocks for one tap, V vectors of channels from one on.
template <int V>
void bring_pixels(const TileGradient& g, int64_t tap, int64_t channel, int64_t block, int64_t end,
                  uint16_t* out) {
  const int64_t all = int64_t(g.batch) * g.out_pixels;
  int64_t image = block * DEPTH / g.out_pixels, pixel = block * DEPTH % g.out_pixels;
  for (; block < end; ++block) {
    const uint16_t* rows[DEPTH];
    for (int64_t p = 0; p < DEPTH; ++p) {
      const bool is_inside = block * DEPTH + p < all;
      const int32_t from = is_inside ? g.table[pixel * g.taps + tap] : -1;
      rows[p] = from < 0 ? g.zeros : g.in + (image * g.in_pixels + from) * g.in_stride;
      if (++pixel == g.out_pixels) pixel = 0, ++image;
    }
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v, out += TILE_VALUES) {
      __m512i pairs[TILE];
      load_pairs(rows, channel + v * WIDTH, pairs);
      for (int pair = 0; pair < TILE; ++pair) _mm512_store_si512(out + pair * DEPTH, pairs[pair]);
    }
  }
}

// Adds to R times 16 output channels x V vectors of input channels the products of some blocks.
template <int R, int V>
void add_pixels(const uint16_t* turned, int64_t row_stride, const uint16_t* pixels, int64_t blocks,
                float* sums, bool is_first) {
  constexpr int64_t SUMS = TILE * TILE;
  if (is_first) {
    _tile_zero(0);
    if constexpr (V > 1) _tile_zero(1);
    if constexpr (R > 1) _tile_zero(2);
    if constexpr (R > 1 && V > 1) _tile_zero(3);
  } else {
    _tile_loadd(0, sums, 64);
    if constexpr (V > 1) _tile_loadd(1, sums + SUMS, 64);
    if constexpr (R > 1) _tile_loadd(2, sums + V * SUMS, 64);
    if constexpr (R > 1 && V > 1) _tile_loadd(3, sums + 3 * SUMS, 64);
  }
  for (int64_t block = 0; block < blocks; ++block, turned += TILE_VALUES) {
    _tile_loadd(4, turned, 64);
    if constexpr (R > 1) _tile_loadd(5, turned + row_stride, 64);
    _tile_loadd(6, pixels + block * V * TILE_VALUES, 64);
    if constexpr (V > 1) _tile_loadd(7, pixels + (block * V + 1) * TILE_VALUES, 64);
    _tile_dpbf16ps(0, 4, 6);
    if constexpr (V > 1) _tile_dpbf16ps(1, 4, 7);
    if constexpr (R > 1) _tile_dpbf16ps(2, 5, 6);
    if constexpr (R > 1 && V > 1) _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, sums, 64);
  if constexpr (V > 1) _tile_stored(1, sums + SUMS, 64);
  if constexpr (R > 1) _tile_stored(2, sums + V * SUMS, 64);
  if constexpr (R > 1 && V > 1) _tile_stored(3, sums + 3 * SUMS, 64);
}

inline int64_t channel_blocks(const TileGradient& g) { return ceil_div(g.in_channels, 2 * WIDTH); }

// One tap and V vectors of input channels, with a group of the output channels.
template <int V>
void gradient_of_tap(const TileGradient& g, int64_t tap, int64_t channel, int64_t group) {
  thread_local Scratch brought, summed;
  const int64_t rows = g.out_channels / TILE, blocks = pixel_blocks(g);
  const int64_t first = rows * group / g.groups, end = rows * (group + 1) / g.groups;
  auto* pixels = reinterpret_cast<uint16_t*>(brought.take(BLOCKS_AT_ONCE * 2 * TILE_VALUES / 2));
  float* const sums = summed.take((end - first + 1) * 2 * TILE * TILE);
  for (int64_t block = 0; block < blocks; block += BLOCKS_AT_ONCE) {
    const int64_t last = block + BLOCKS_AT_ONCE < blocks ? block + BLOCKS_AT_ONCE : blocks;
    bring_pixels<V>(g, tap, channel, block, last, pixels);
    for (int64_t row = first; row < end; row += 2) {
      const uint16_t* turned = g.turned + (row * blocks + block) * TILE_VALUES;
      const auto add = row + 1 < end ? add_pixels<2, V> : add_pixels<1, V>;
      add(turned, blocks * TILE_VALUES, pixels, last - block,
          sums + (row - first) * V * TILE * TILE, block == 0);
    }
  }
  float* out = g.weight + channel * g.weight_in_stride + tap / g.columns * g.row_stride +
               tap % g.columns * g.column_stride;
  for (int64_t o = first * TILE; o < end * TILE; ++o)
    for (int v = 0; v < V; ++v)
      store_lanes(out + o * g.out_stride + v * WIDTH * g.weight_in_stride, g.weight_in_stride,
                  WIDTH, load(sums + (((o / TILE - first) * V + v) * TILE + o % TILE) * TILE));
}

void tile_gradient_task(const TileGradient& g, int64_t task) {
  const int64_t channels = channel_blocks(g), group = task / channels / g.taps;
  const int64_t tap = task / channels % g.taps, channel = task % channels * 2 * WIDTH;
  _tile_loadconfig(&tile_config);
  if (channel + WIDTH < g.in_channels) gradient_of_tap<2>(g, tap, channel, group);
  else gradient_of_tap<1>(g, tap, channel, group);
  _tile_release();
}

}  // namespace
#endif
