// Batch normalisation with its ReLU in training: forward, and the gradients.
//
// Statistics come from parts of the pixels, each with sums about its first pixel (so that nothing
// cancels where a mean is large), merged in double by Chan's formula. The backward pass finds the
// ReLU's mask again from the input; nothing is kept for it but the input and four rows.

#pragma once

#include <cmath>
#include <type_traits>

#include "steps.h"
#include "vectors.h"

namespace {

constexpr int NORM_VECTORS = 4;

struct Pixels {
  int64_t first, end;
};

inline Pixels pixels_of(const Norm& n, int64_t part) {
  const int64_t first = part * n.chunk, end = first + n.chunk;
  return {first, end < n.pixels ? end : n.pixels};
}

inline float* part_of(const Norm& n, int64_t part) { return n.parts + part * 2 * n.channels; }

// Call `body(channel, vectors)` for some vectors of channels at a time, `vectors` a constant.
template <class Body>
inline void for_vectors(int64_t channels, const Body& body) {
  int64_t c = 0;
  for (; c + NORM_VECTORS * WIDTH <= channels; c += NORM_VECTORS * WIDTH)
    body(c, std::integral_constant<int, NORM_VECTORS>());
  for (; c < channels; c += WIDTH) body(c, std::integral_constant<int, 1>());
}

// The sums of a part: of the differences from its first pixel, and of their squares.
template <class T>
void norm_statistics_task(const Norm& n, int64_t part) {
  const Pixels pixels = pixels_of(n, part);
  const T* in = static_cast<const T*>(n.in) + pixels.first * n.in_stride;
  float* out = part_of(n, part);
  for_vectors(n.channels, [&](int64_t c, auto vectors) {
    constexpr int V = vectors;
    vec about[V], sum[V] = {}, square[V] = {};
    for (int v = 0; v < V; ++v) about[v] = load(in + c + v * WIDTH);
    const T* x = in + c;
    for (int64_t p = pixels.first; p < pixels.end; ++p, x += n.in_stride)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const vec difference = load(x + v * WIDTH) - about[v];
        sum[v] += difference;
        square[v] += difference * difference;
      }
    for (int v = 0; v < V; ++v) {
      store(out + c + v * WIDTH, sum[v]);
      store(out + n.channels + c + v * WIDTH, square[v]);
    }
  });
}

// Mean and variance of a vector of channels, the running ones, and the line y = factor x + shift.
template <class T>
void norm_line_task(const Norm& n, int64_t task) {
  const int64_t parts = ceil_div(n.pixels, n.chunk);
  for (int64_t c = task * WIDTH; c < (task + 1) * WIDTH; ++c) {
    double mean = 0, squares = 0, count = 0;
    for (int64_t part = 0; part < parts; ++part) {
      const Pixels pixels = pixels_of(n, part);
      const double size = double(pixels.end - pixels.first), sum = part_of(n, part)[c];
      const double about = value_of(static_cast<const T*>(n.in) + pixels.first * n.in_stride + c);
      const double own = about + sum / size, apart = own - mean;
      squares += part_of(n, part)[n.channels + c] - sum * sum / size +
                 apart * apart * count * size / (count + size);
      count += size;
      mean += apart * size / count;
    }
    const double variance = squares > 0 ? squares / count : squares * 0;  // NaN stays
    const double inverse = 1 / std::sqrt(variance + n.epsilon);
    n.mean[c] = float(mean);
    n.inverse[c] = float(inverse);
    n.factor[c] = float(n.weight[c] * inverse);
    n.shift[c] = float(n.bias[c] - mean * n.weight[c] * inverse);
    n.running_mean[c] += float(n.momentum * (mean - n.running_mean[c]));
    n.running_variance[c] +=
        float(n.momentum * (variance * count / (count - 1) - n.running_variance[c]));
  }
}

template <class T>
void norm_output_task(const Norm& n, int64_t part) {
  const Pixels pixels = pixels_of(n, part);
  const vec floor = vec{} + n.floor;
  for (int64_t p = pixels.first; p < pixels.end; ++p) {
    const T* in = static_cast<const T*>(n.in) + p * n.in_stride;
    T* out = static_cast<T*>(n.out) + p * n.out_stride;
    for (int64_t c = 0; c < n.channels; c += WIDTH)
      store(out + c, larger(floor, load(in + c) * load(n.factor + c) + load(n.shift + c)));
  }
}

// What comes back through the ReLU: nothing where its output is the floor.
inline vec through(vec gradient, vec x, vec factor, vec shift, vec floor) {
  return x * factor + shift > floor ? gradient : vec{};
}

// The sums of a part: of the gradients, and of their products with the inputs about the mean.
template <class T>
void norm_sums_task(const Norm& n, int64_t part) {
  const Pixels pixels = pixels_of(n, part);
  float* out = part_of(n, part);
  const vec floor = vec{} + n.floor;
  for_vectors(n.channels, [&](int64_t c, auto vectors) {
    constexpr int V = vectors;
    vec mean[V], factor[V], shift[V], sum[V] = {}, product[V] = {};
    for (int v = 0; v < V; ++v) {
      const int64_t at = c + v * WIDTH;
      mean[v] = load(n.mean + at), factor[v] = load(n.factor + at), shift[v] = load(n.shift + at);
    }
    const T* x = static_cast<const T*>(n.in) + pixels.first * n.in_stride + c;
    const T* g = static_cast<const T*>(n.gradient) + pixels.first * n.gradient_stride + c;
    for (int64_t p = pixels.first; p < pixels.end; ++p, x += n.in_stride, g += n.gradient_stride)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) {
        const vec value = load(x + v * WIDTH);
        const vec back = through(load(g + v * WIDTH), value, factor[v], shift[v], floor);
        sum[v] += back;
        product[v] += back * (value - mean[v]);
      }
    for (int v = 0; v < V; ++v) {
      store(out + c + v * WIDTH, sum[v]);
      store(out + n.channels + c + v * WIDTH, product[v]);
    }
  });
}

// The gradients of weight and bias, and what the input's needs besides: two numbers per channel,
// which take the place of the first part's sums.
void norm_plane_task(const Norm& n, int64_t task) {
  const int64_t parts = ceil_div(n.pixels, n.chunk);
  for (int64_t c = task * WIDTH; c < (task + 1) * WIDTH; ++c) {
    double sum = 0, product = 0;
    for (int64_t part = 0; part < parts; ++part) {
      sum += part_of(n, part)[c];
      product += part_of(n, part)[n.channels + c];
    }
    const double inverse = n.inverse[c], count = double(n.pixels);
    n.for_bias[c] = float(sum);
    n.for_weight[c] = float(product * inverse);
    n.parts[c] = float(-n.factor[c] * sum / count);
    n.parts[n.channels + c] = float(-n.factor[c] * inverse * inverse * product / count);
  }
}

template <class T>
void norm_gradient_task(const Norm& n, int64_t part) {
  const Pixels pixels = pixels_of(n, part);
  const vec floor = vec{} + n.floor;
  for (int64_t p = pixels.first; p < pixels.end; ++p) {
    const T* in = static_cast<const T*>(n.in) + p * n.in_stride;
    const T* gradient = static_cast<const T*>(n.gradient) + p * n.gradient_stride;
    T* out = static_cast<T*>(n.out) + p * n.out_stride;
    for (int64_t c = 0; c < n.channels; c += WIDTH) {
      const vec x = load(in + c), factor = load(n.factor + c);
      const vec back = through(load(gradient + c), x, factor, load(n.shift + c), floor);
      const vec slope = load(n.parts + n.channels + c);
      store(out + c, factor * back + (x - load(n.mean + c)) * slope + load(n.parts + c));
    }
  }
}

inline int64_t norm_parts(const Norm& n) { return ceil_div(n.pixels, n.chunk); }
inline int64_t norm_vectors(const Norm& n) { return n.channels / WIDTH; }

}  // namespace
