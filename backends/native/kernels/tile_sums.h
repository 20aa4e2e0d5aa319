// What becomes of the sums in matrix tiles.

#pragma once

#include "products.h"
#include "tile_input.h"

#ifdef __AMX_BF16__
namespace {

// Sums of a block in tiles, which wait for their epilogue.
class Pending {
 public:
  Pending() = default;
  Pending(const Panel& panel, const float* sums, int64_t pixel, int64_t rows)
      : panel_(&panel), sums_(sums), pixel_(pixel), count_(rows), is_plain_(true) {
    for (int64_t v = 0; v < panel.vectors; ++v) {
      const Target& to = panel.targets[v];
      is_plain_ &= to.channels == WIDTH && !to.out && !to.add && !to.low;
    }
    is_pair_ = is_plain_ && panel.vectors == 2 && are_adjacent(panel.targets[0], panel.targets[1]);
  }

  bool is_empty() const { return at_ == count_; }

  // The next rows. Most blocks are read and written in bfloat16 only, in whole cache lines.
  void finish_rows(int64_t rows) {
    const int64_t end = at_ + rows < count_ ? at_ + rows : count_;
    if (is_pair_) {
      finish_pairs(end);
    } else {
      for (int64_t v = 0; v < panel_->vectors; ++v) finish_vector(v, end);
    }
    at_ = end;
  }

 private:
  static bool are_adjacent(const Target& left, const Target& right) {
    const auto* add = left.add_rounded ? left.add_rounded + WIDTH : nullptr;
    return right.rounded == left.rounded + WIDTH && right.out_stride == left.out_stride &&
           right.add_rounded == add && right.add_stride == left.add_stride;
  }
  vec sum(int64_t row, int64_t v) const {
    return load(sums_ + (row / TILE * panel_->vectors + v) * TILE * TILE + row % TILE * WIDTH);
  }
  vec bias(int64_t v) const { return load(panel_->bias + v * WIDTH); }
  vec floor(int64_t v) const { return load(panel_->floor + v * WIDTH); }

  void finish_pairs(int64_t end) const {
    const Target target = panel_->targets[0];
    const vec bias0 = bias(0), bias1 = bias(1), floor0 = floor(0), floor1 = floor(1);
    uint16_t* to = target.rounded + (pixel_ + at_) * target.out_stride;
    const uint16_t* add = target.add_rounded;
    if (add) add += (pixel_ + at_) * target.add_stride;
    for (int64_t r = at_; r < end; ++r, to += target.out_stride) {
      vec left = sum(r, 0) + bias0, right = sum(r, 1) + bias1;
      if (add) {
        left += load(add);
        right += load(add + WIDTH);
        add += target.add_stride;
      }
      left = larger(floor0, left);
      right = larger(floor1, right);
      _mm512_storeu_si512(to, (__m512i)_mm512_cvtne2ps_pbh((__m512)right, (__m512)left));
    }
  }

  void finish_vector(int64_t v, int64_t end) const {
    const Target target = panel_->targets[v];
    const vec own_bias = bias(v), own_floor = floor(v);
    if (!is_plain_ || target.add_rounded) {
      for (int64_t r = at_; r < end; ++r)
        finish(target, pixel_ + r, sum(r, v), own_bias, own_floor);
      return;
    }
    uint16_t* to = target.rounded + (pixel_ + at_) * target.out_stride;
    for (int64_t r = at_; r < end; ++r, to += target.out_stride)
      store_rounded(to, larger(own_floor, sum(r, v) + own_bias));
  }

  const Panel* panel_ = nullptr;
  const float* sums_ = nullptr;
  int64_t pixel_ = 0, at_ = 0, count_ = 0;  // rows `at_` to `count_` are left
  bool is_plain_ = false, is_pair_ = false;
};

}  // namespace
#endif
