// Which pages of a mapped file are in the memory of this process.

#pragma once

#include "steps.h"

#ifdef __linux__
#include <sys/mman.h>
#ifndef MADV_POPULATE_READ  // Linux 5.14
#define MADV_POPULATE_READ 22
#endif
#endif

namespace {

const int64_t BYTES_PER_TASK = 1 << 19;

inline int64_t pages_tasks(const Pages& pages) {
  return ceil_div(pages.done_bytes, BYTES_PER_TASK) + ceil_div(pages.wanted_bytes, BYTES_PER_TASK);
}

// What is done with stays in the system's cache of files. What is wanted is mapped in one go, a
// page fault for each would take longer; where the system can't, the faults do it.
void pages_task(const Pages& pages, int64_t task) {
#ifdef __linux__
  const int64_t of_done = ceil_div(pages.done_bytes, BYTES_PER_TASK);
  const bool is_done = task < of_done;
  const int64_t first = BYTES_PER_TASK * (is_done ? task : task - of_done);
  const int64_t left = (is_done ? pages.done_bytes : pages.wanted_bytes) - first;
  madvise((is_done ? pages.done : pages.wanted) + first,
          left < BYTES_PER_TASK ? left : BYTES_PER_TASK,
          is_done ? MADV_DONTNEED : MADV_POPULATE_READ);
#endif
}

}  // namespace
