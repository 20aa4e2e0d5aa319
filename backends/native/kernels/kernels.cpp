// Kernels of the native CPU target: channels last, one table of steps per network; and the threads
// that walk through it.

#include <atomic>
#include <omp.h>
#include <vector>

#include "loops.h"
#include "norms.h"
#include "pages.h"
#include "products.h"
#include "residuals.h"
#include "tile_training.h"
#include "tiles.h"
#include "winograd.h"

namespace {

// How many tasks of a thread's share of a step are taken; each on a cache line of its own.
struct alignas(64) Share {
  std::atomic<int64_t> taken{0};
};

// One thread of some, with the shares of the step that it works on.
struct Worker {
  Share* shares;
  int64_t thread, threads;
};

// A thread takes the tasks of its own share in order, then what others have left. Tasks are in the
// order of images, then pixels or tiles, then panels, so from step to step a share is about the
// same part of the image: most of what a thread reads it wrote itself, which counts where the
// threads' caches are far apart.
template <class Args>
void run_tasks(const Step& step, const Worker& worker, int64_t count,
               void (*task)(const Args&, int64_t)) {
  const Args& args = *static_cast<const Args*>(step.args);
  for (int64_t i = 0; i < worker.threads; ++i) {
    const int64_t owner = (worker.thread + i) % worker.threads;
    const int64_t first = count * owner / worker.threads;
    const int64_t size = count * (owner + 1) / worker.threads - first;
    for (int64_t at; (at = worker.shares[owner].taken.fetch_add(1, std::memory_order_relaxed)) <
                     size;)
      task(args, first + at);
  }
}

void run_residual(const Step& step, const Worker& worker,
                  void (*in_float)(const Residual&, int64_t),
                  void (*in_bfloat16)(const Residual&, int64_t)) {
  const Residual& residual = *static_cast<const Residual*>(step.args);
  run_tasks(step, worker, residual_tasks(residual), residual.is_rounded ? in_bfloat16 : in_float);
}

typedef void (*NormTask)(const Norm&, int64_t);

void run_norm(const Step& step, const Worker& worker, int64_t (*tasks)(const Norm&),
              NormTask in_float, NormTask in_bfloat16) {
  const Norm& norm = *static_cast<const Norm*>(step.args);
  run_tasks(step, worker, tasks(norm), norm.is_rounded ? in_bfloat16 : in_float);
}

void run_step(const Step& step, const Worker& worker) {
  switch (step.kind) {
    case CONV: {
      const auto& conv = *static_cast<const Conv*>(step.args);
      return run_tasks(step, worker, conv_tasks(conv),
                       fetches(conv) ? conv_task<float, true> : conv_task<float, false>);
    }
#ifdef __AVX512BF16__
    case CONV_BFLOAT16:
      return run_tasks(step, worker, conv_tasks(*static_cast<const Conv*>(step.args)),
                       conv_task<uint16_t, false>);
#endif
#ifdef __AMX_BF16__
    case CONV_TILES: {
      const auto& conv = *static_cast<const Conv*>(step.args);
      return run_tasks(step, worker, conv_tiles_tasks(conv),
                       conv.low ? conv_tiles_task<2> : conv_tiles_task<1>);
    }
#endif
#ifdef __AMX_BF16__
    case TILE_FILTERS: {
      const auto& f = *static_cast<const TileFilters*>(step.args);
      return run_tasks(step, worker, f.panel_count * depth_tiles(f), tile_filters_task);
    }
    case TILE_TURN:
      return run_tasks(step, worker, pixel_blocks(*static_cast<const TileGradient*>(step.args)),
                       turn_task);
    case TILE_GRADIENT: {
      const auto& g = *static_cast<const TileGradient*>(step.args);
      return run_tasks(step, worker, g.groups * g.taps * channel_blocks(g), tile_gradient_task);
    }
#endif
    case ROUND:
      return run_tasks(step, worker,
                       ceil_div(static_cast<const Rounding*>(step.args)->pixels, PIXELS_PER_TASK),
                       round_task);
    case WINOGRAD_DATA:
      return run_tasks(step, worker,
                       ceil_div(static_cast<const Winograd*>(step.args)->tiles, TILES_PER_TASK),
                       winograd_data_task);
    case WINOGRAD: {
      const auto& w = *static_cast<const Winograd*>(step.args);
      return run_tasks(step, worker, ceil_div(w.tiles, w.chunk), winograd_task);
    }
    case FILTERS: {
      const auto& f = *static_cast<const Filters*>(step.args);
      return run_tasks(step, worker, f.panel_count * ceil_div(f.channels, CHANNELS_PER_TASK),
                       filters_task);
    }
    case WEIGHT_GRADIENT: {
      const auto& g = *static_cast<const WeightGradient*>(step.args);
      return run_tasks(step, worker, gradient_panels(g) * ceil_div(g.out_channels, TILE_BLOCK),
                       weight_gradient_task);
    }
    case POOL: {
      const auto& p = *static_cast<const Pool*>(step.args);
      return run_tasks(step, worker, int64_t(p.batch) * p.out_height, pool_task);
    }
    case GLOBAL_POOL: {
      const auto& p = *static_cast<const GlobalPool*>(step.args);
      return run_tasks(step, worker, p.batch * ceil_div(p.channels, POOLED_PER_TASK),
                       global_pool_task);
    }
    case ELEMENTWISE: {
      const auto& e = *static_cast<const Elementwise*>(step.args);
      return run_tasks(step, worker, ceil_div(e.pixels, PIXELS_PER_TASK), elementwise_task);
    }
    case SOFTMAX:
      return run_tasks(step, worker, static_cast<const Rows*>(step.args)->rows, softmax_task);
    case NORMALIZE:
      return run_tasks(step, worker, static_cast<const Rows*>(step.args)->rows, normalize_task);
    case NORM_STATISTICS:
      return run_norm(step, worker, norm_parts, norm_statistics_task<float>,
                      norm_statistics_task<uint16_t>);
    case NORM_LINE:
      return run_norm(step, worker, norm_vectors, norm_line_task<float>, norm_line_task<uint16_t>);
    case NORM_OUTPUT:
      return run_norm(step, worker, norm_parts, norm_output_task<float>,
                      norm_output_task<uint16_t>);
    case NORM_SUMS:
      return run_norm(step, worker, norm_parts, norm_sums_task<float>, norm_sums_task<uint16_t>);
    case NORM_PLANE:
      return run_norm(step, worker, norm_vectors, norm_plane_task, norm_plane_task);
    case NORM_GRADIENT:
      return run_norm(step, worker, norm_parts, norm_gradient_task<float>,
                      norm_gradient_task<uint16_t>);
    case RESIDUAL:
      return run_residual(step, worker, residual_task<float>, residual_task<uint16_t>);
    case RESIDUAL_GRADIENT:
      return run_residual(step, worker, residual_gradient_task<float>,
                          residual_gradient_task<uint16_t>);
    case PAGES:
      return run_tasks(step, worker, pages_tasks(*static_cast<const Pages*>(step.args)),
                       pages_task);
  }
}

// Where threads meet between steps. A short spin, then sleep: on a busy machine the thread that
// all wait for may need this very core (OpenMP's own barrier spins for milliseconds).
class Barrier {
 public:
  void wait(int threads) {
    const uint32_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      round_.notify_all();
      return;
    }
    for (int spin = 0; spin < 3000; ++spin) {
      if (round_.load(std::memory_order_acquire) != round) return;
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
    round_.wait(round, std::memory_order_acquire);
  }

 private:
  alignas(64) std::atomic<int> arrived_{0};  // apart: one is written while the other is watched
  alignas(64) std::atomic<uint32_t> round_{0};
};

}  // namespace

extern "C" {

int32_t netdraft_width() { return WIDTH; }
int32_t netdraft_max_vectors() { return MAX_VECTORS; }
#ifdef __AVX512BF16__
int32_t netdraft_has_bfloat16() { return 1; }
#else
int32_t netdraft_has_bfloat16() { return 0; }
#endif
#ifdef __AMX_BF16__
int32_t netdraft_has_tiles() { return may_use_tiles(); }
#else
int32_t netdraft_has_tiles() { return 0; }
#endif

void netdraft_run(const Step* steps, int64_t count, int32_t threads) {
  std::vector<Share> shares(count * threads);
  Barrier barrier;
#pragma omp parallel num_threads(threads)
  for (int64_t at = 0; at < count; ++at) {
    const int present = omp_get_num_threads();
    run_step(steps[at], {&shares[at * threads], omp_get_thread_num(), present});
    if (steps[at].kind != PAGES) barrier.wait(present);
  }
}

// Wall-clock seconds of each step, for the profile.
void netdraft_profile(const Step* steps, int64_t count, int32_t threads, double* seconds) {
  for (int64_t at = 0; at < count; ++at) {
    const double start = omp_get_wtime();
    netdraft_run(steps + at, 1, threads);
    seconds[at] = omp_get_wtime() - start;
  }
}

}  // extern "C"
