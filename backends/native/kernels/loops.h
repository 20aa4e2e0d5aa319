// Loops that are no products: pooling, sums, functions of rows, rounding.

#pragma once

#include <cmath>
#include <limits>

#include "steps.h"
#include "vectors.h"

namespace {

// What a pooling reads: float32, or bfloat16 in parts.
struct FloatInput {
  const float* in;
  vec vector(int64_t at) const { return load(in + at); }
  float value(int64_t at) const { return in[at]; }
};

struct RoundedInput {
  const uint16_t* in;
  int64_t low;
  vec vector(int64_t at) const { return load_parts(in + at, low); }
  float value(int64_t at) const { return load_one(in + at, low); }
};

// One row of outputs of one image.
template <class Input>
void pool_row(const Pool& p, const Input& in, int64_t task) {
  const int64_t image = task / p.out_height;
  const int row = int(task % p.out_height);
  const int64_t start = image * p.in_height * p.in_width;
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
          const vec value = in.vector((start + int64_t(y) * p.in_width + x) * p.in_stride + c);
          sum = p.mean ? sum + value : (sum > value ? sum : value);
        }
      sum = larger(vec{} + p.floor, p.mean ? sum * scale : sum);
      if (p.out) store(p.out + to + c, sum);
      if (p.rounded) store_parts(p.rounded + to + c, p.low, sum);
    }
    for (; c < p.channels; ++c) {
      float sum = p.mean ? 0.0f : -std::numeric_limits<float>::infinity();
      for (int y = top; y < bottom; ++y)
        for (int x = left; x < right; ++x) {
          const float value = in.value((start + int64_t(y) * p.in_width + x) * p.in_stride + c);
          sum = p.mean ? sum + value : (sum > value ? sum : value);
        }
      sum = p.mean ? sum * scale : sum;
      sum = p.floor > sum ? p.floor : sum;
      if (p.out) p.out[to + c] = sum;
      if (p.rounded) store_one(p.rounded + to + c, p.low, sum);
    }
  }
}

void pool_task(const Pool& p, int64_t task) {
  if (p.in) return pool_row(p, FloatInput{p.in}, task);
  pool_row(p, RoundedInput{p.in_rounded, p.low}, task);
}

constexpr int64_t POOLED_PER_TASK = 64;

// Some channels of one image.
template <class Input>
void global_pool_channels(const GlobalPool& p, const Input& in, int64_t task) {
  const int64_t blocks = ceil_div(p.channels, POOLED_PER_TASK);
  const int64_t image = task / blocks, start = image * p.pixels;
  int64_t c = task % blocks * POOLED_PER_TASK;
  const int64_t end = c + POOLED_PER_TASK < p.channels ? c + POOLED_PER_TASK : p.channels;
  float* out = p.out + image * p.out_stride;
  for (; c + WIDTH <= end; c += WIDTH) {
    vec sum = in.vector(start * p.in_stride + c);
    for (int64_t x = 1; x < p.pixels; ++x) {
      const vec value = in.vector((start + x) * p.in_stride + c);
      sum = p.mean ? sum + value : (sum > value ? sum : value);
    }
    store(out + c, p.mean ? sum / float(p.pixels) : sum);
  }
  for (; c < end; ++c) {
    float sum = in.value(start * p.in_stride + c);
    for (int64_t x = 1; x < p.pixels; ++x) {
      const float value = in.value((start + x) * p.in_stride + c);
      sum = p.mean ? sum + value : (sum > value ? sum : value);
    }
    out[c] = p.mean ? sum / float(p.pixels) : sum;
  }
}

void global_pool_task(const GlobalPool& p, int64_t task) {
  if (p.in) return global_pool_channels(p, FloatInput{p.in}, task);
  global_pool_channels(p, RoundedInput{p.in_rounded, p.low}, task);
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

void round_run(const float* in, uint16_t* out, int64_t count, int64_t low) {
  int64_t c = 0;
  for (; c + WIDTH <= count; c += WIDTH) store_parts(out + c, low, load(in + c));
  for (; c < count; ++c) store_one(out + c, low, in[c]);
}

void round_task(const Rounding& r, int64_t task) {
  const int64_t first = task * PIXELS_PER_TASK;
  const int64_t count = first + PIXELS_PER_TASK < r.pixels ? PIXELS_PER_TASK : r.pixels - first;
  const float* in = r.in + first * r.in_stride;
  uint16_t* out = r.out + first * r.out_stride;
  if (r.in_stride == r.channels && r.out_stride == r.channels)
    return round_run(in, out, count * r.channels, r.low);
  for (int64_t x = 0; x < count; ++x, in += r.in_stride, out += r.out_stride) {
    round_run(in, out, r.channels, r.low);
    for (int64_t c = r.channels; c < r.out_stride; ++c) store_one(out + c, r.low, 0.0f);
  }
}

}  // namespace
