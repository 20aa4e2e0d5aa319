// Winograd convolutions: the same products once per interpolation point; and their gradients.

#pragma once

#include "products.h"

namespace {

struct Tile {
  int64_t image;
  int32_t top, left;  // of its outputs
};

// Floats from point to point of some transformed tiles: an odd number of cache lines, for 64
// points at an even distance would fall into the same few sets of the first-level cache.
inline int64_t point_stride(int64_t tiles, int64_t channels) {
  return (tiles * channels / 16 | 1) * 16;
}

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
        Next<true> next(weight + w.channels * row_size);  // of the next point, or panel
        for (int64_t at = 0; at < count; at += rows) {
          const int64_t block = at + rows < count ? rows : count - at;
          product_blocks[panel.vectors][block](in + at * w.channels, w.channels, weight, next,
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
  const int64_t lane = first_channel(f.panels, task / blocks);
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
#define OUTER_BLOCK(R, V) outer_block<R, V>
constexpr Blocks<OuterBlock> outer_blocks = ALL_BLOCKS(OUTER_BLOCK);

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

}  // namespace
