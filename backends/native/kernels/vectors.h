// One vector of floats, bfloat16, and memory of a thread.

#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
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
inline float to_float(uint16_t bfloat16) {
  const uint32_t bits = uint32_t(bfloat16) << 16;
  float x;
  std::memcpy(&x, &bits, 4);
  return x;
}

inline vec load(const uint16_t* p) {  // of bfloat16, the upper halves of floats
#ifdef __AVX512F__
  const __m256i halves = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
  return (vec)_mm512_slli_epi32(_mm512_cvtepu16_epi32(halves), 16);
#else
  vec v;
  for (int i = 0; i < WIDTH; ++i) v[i] = to_float(p[i]);
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

inline void store(uint16_t* p, vec v) { store_rounded(p, v); }

// A value in bfloat16; with `low` in two parts, so many values apart: rounded, and what is left.
inline vec load_parts(const uint16_t* p, int64_t low) {
  return low ? load(p) + load(p + low) : load(p);
}

inline void store_parts(uint16_t* p, int64_t low, vec v) {
  store_rounded(p, v);
  if (low) store_rounded(p + low, v - load(p));
}

inline float load_one(const uint16_t* p, int64_t low) {
  return low ? to_float(p[0]) + to_float(p[low]) : to_float(p[0]);
}

inline void store_one(uint16_t* p, int64_t low, float x) {
  p[0] = to_bfloat16(x);
  if (low) p[low] = to_bfloat16(x - to_float(p[0]));
}

inline float value_of(const float* p) { return *p; }
inline float value_of(const uint16_t* p) { return to_float(*p); }

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

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

}  // namespace
