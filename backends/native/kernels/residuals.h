// Residual sums in training: y = shortcut + scale * branch, with its ReLU, and their gradients.
//
// One pass either way; the ReLU's mask is found again from the output.

#pragma once

#include "steps.h"
#include "vectors.h"

namespace {

// Call `body(first)` for every vector of a task's values.
template <class Body>
inline void for_values(const Residual& r, int64_t task, const Body& body) {
  const int64_t first = task * r.chunk, end = first + r.chunk;
  for (int64_t i = first; i < (end < r.values ? end : r.values); i += WIDTH) body(i);
}

template <class T>
void residual_task(const Residual& r, int64_t task) {
  const T *shortcut = static_cast<const T*>(r.shortcut), *branch = static_cast<const T*>(r.branch);
  T* out = static_cast<T*>(r.out);
  const vec floor = vec{} + r.floor;
  for_values(r, task, [&](int64_t i) {
    store(out + i, larger(floor, load(shortcut + i) + r.scale * load(branch + i)));
  });
}

template <class T>
void residual_gradient_task(const Residual& r, int64_t task) {
  const T *gradient = static_cast<const T*>(r.gradient), *out = static_cast<const T*>(r.out);
  T *shortcut = static_cast<T*>(r.for_shortcut), *branch = static_cast<T*>(r.for_branch);
  for_values(r, task, [&](int64_t i) {
    const vec back = load(out + i) > vec{} ? load(gradient + i) : vec{};
    store(shortcut + i, back);
    store(branch + i, r.scale * back);
  });
}

inline int64_t residual_tasks(const Residual& r) { return ceil_div(r.values, r.chunk); }

}  // namespace
