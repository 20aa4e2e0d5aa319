// The arguments of every kind of step, as `steps.py` writes them; `structs.py` compares the two.

#pragma once

#include <cstdint>

extern "C" {

// Where one vector of output channels goes, and what happens to it on the way.
struct Target {
  float* out;                   // null where only bfloat16 is wanted
  uint16_t* rounded;            // the same in bfloat16, or null
  const float* add;             // residual, or null
  const uint16_t* add_rounded;  // the same in bfloat16, or null
  int64_t out_stride;           // elements from pixel to pixel, of `out` and `rounded`
  int64_t add_stride;
  int64_t channels;  // at most WIDTH
  int64_t low;       // bfloat16 in two parts: values from one to the other; 0: one part
};

// Some vectors of output channels: their weights, and bias, floor and target of each.
struct Panel {
  const void* weight;  // float; bfloat16 in pairs for the bfloat16 product
  const float *bias, *floor;
  const Target* targets;
  int64_t vectors;
};

// Weights that the next convolution reads: by every thread all, or by each its part.
struct Ahead {
  const char* start;
  int64_t bytes, shared;
};

struct Conv {
  const void* in;  // float, or bfloat16 in pairs of channels
  int64_t in_stride, in_pixels, out_pixels;  // pixels of one image
  int64_t low;                               // see Target
  const int32_t* table;                      // [out_pixels][taps]: input pixel, -1 for padding
  const void* zeros;
  const Panel* panels;
  Ahead ahead;
  int32_t batch, taps, channels, panel_count, chunk, groups;  // `groups` of panels: for tiles
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
  const float* in;  // null where it is read in bfloat16
  const uint16_t* in_rounded;
  float* out;         // null where only bfloat16 is wanted
  uint16_t* rounded;  // the same in bfloat16, or null
  int64_t in_stride, out_stride;
  int64_t low;  // see Target
  float floor;
  int32_t batch, channels, in_height, in_width, out_height, out_width;
  int32_t kernel_height, kernel_width, stride_height, stride_width, pad_top, pad_left;
  int32_t mean, count_pad, pad_bottom, pad_right;
};

struct GlobalPool {
  const float* in;  // null where it is read in bfloat16
  const uint16_t* in_rounded;
  float* out;
  int64_t in_stride, out_stride;
  int64_t low;  // see Target
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
  uint16_t* out;  // bfloat16; what `out_stride` leaves after `channels` is filled with zeros
  int64_t in_stride, out_stride, pixels;
  int64_t low;  // see Target
  int32_t channels;
};

struct Rows {
  const float* in;
  float* out;
  int64_t in_stride, out_stride;
  int32_t rows, channels;
};

// Batch normalisation in training, and its ReLU where `floor` is 0: see norms.h. Channels lie side
// by side and are whole vectors.
struct Norm {
  const void *in, *gradient;  // (pixels, channels), float or bfloat16; `gradient` of the output
  void* out;                  // the output, or the gradient of the input
  float* parts;               // [parts][2][channels]: sums of some pixels each
  const float *weight, *bias;
  float *mean, *inverse, *factor, *shift;  // inverse of the deviation; y = factor * x + shift
  float *running_mean, *running_variance;
  float *for_weight, *for_bias;  // their gradients
  int64_t in_stride, gradient_stride, out_stride, pixels, chunk;
  double epsilon, momentum;
  float floor;
  int32_t channels, is_rounded;
};

// A residual sum in training, with a ReLU where `floor` is 0, and the gradients of one with a ReLU:
// see residuals.h. All tensors are dense, of float or of bfloat16, in whole vectors.
struct Residual {
  const void *shortcut, *branch, *gradient;  // `gradient` of the output
  void *out, *for_shortcut, *for_branch;     // `for_...`: their gradients
  int64_t values, chunk;
  float scale, floor;
  int32_t is_rounded;
};

// Weights in bfloat16 as matrix tiles take them, written to where the panels have their weights.
struct TileFilters {
  const float* weight;  // as the network has it, by strides; negative ones turn the taps round
  const Panel* panels;
  int64_t out_stride, in_stride, row_stride, column_stride;
  int32_t channels, taps, columns, panel_count;
};

// The gradient of a weight by matrix tiles, from inputs and gradients of outputs in bfloat16.
struct TileGradient {
  const uint16_t *in, *gradient, *zeros;  // pixels
  const int32_t* table;                   // [out_pixels][taps]: input pixel, -1 for padding
  uint16_t* turned;                       // scratch: [out_channels / 16][pixels / 32][16][32]
  float* weight;
  int64_t in_stride, gradient_stride, in_pixels, out_pixels;  // pixels of one image
  int64_t out_stride, weight_in_stride, row_stride, column_stride;  // of `weight`
  int32_t batch, taps, columns, in_channels, out_channels, groups;
};

// Whole pages of a mapped file: what no step will read before the next run, and what one will soon.
// No other step waits for this one.
struct Pages {
  char *done, *wanted;
  int64_t done_bytes, wanted_bytes;
};

enum Kind : int32_t { CONV, WINOGRAD, WINOGRAD_DATA, POOL, GLOBAL_POOL, ELEMENTWISE,
                      SOFTMAX, NORMALIZE, ROUND, CONV_BFLOAT16, FILTERS, WEIGHT_GRADIENT,
                      CONV_TILES, NORM_STATISTICS, NORM_LINE, NORM_OUTPUT, NORM_SUMS, NORM_PLANE,
                      NORM_GRADIENT, RESIDUAL, RESIDUAL_GRADIENT, TILE_FILTERS, TILE_TURN,
                      TILE_GRADIENT, PAGES };

struct Step {
  int64_t kind;
  const void* args;
};

}  // extern "C"
