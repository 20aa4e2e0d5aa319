// What matrix tiles are loaded from: pixels in the input where they lie evenly, else copies.

#pragma once

#include "steps.h"
#include "vectors.h"

#ifdef __AMX_BF16__
namespace {

constexpr int64_t TILE = 16, DEPTH = 32, TILE_VALUES = TILE * DEPTH;

// Where 16 pixels have the values of a tap: evenly spaced, in the input or gathered.
struct TileRows {
  const uint16_t* start;
  int64_t stride;  // bytes from pixel to pixel
  int64_t low;     // values from a first part to its second part
};

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

}  // namespace
#endif
