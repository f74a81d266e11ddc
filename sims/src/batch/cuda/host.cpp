// The kernel as host C++: what CUDA gives it, and a launch that runs its threads one after another. They never meet, so their order changes nothing.

#include <cmath>
#include <cstring>

#define __device__
#define __forceinline__ inline
#define __global__
#define __launch_bounds__(...)
#define __align__(n)
#define VARIABLE static thread_local

struct Three {
    unsigned x, y, z;
};

static thread_local Three blockIdx, blockDim, threadIdx;

static thread_local unsigned shared_words[1 << 16];
#define SHARED_WORDS

static inline float __uint_as_float(unsigned bits) {
    float number;
    std::memcpy(&number, &bits, sizeof number);
    return number;
}

static inline unsigned __float_as_uint(float number) {
    unsigned bits;
    std::memcpy(&bits, &number, sizeof bits);
    return bits;
}

#include "kernel.cu"

/// Runs `thread` as each of at least `threads` threads.
template <class F> static void each(u32 threads, F thread) {
    blockDim.x = THREADS;
    for (blockIdx.x = 0; blockIdx.x * THREADS < threads; ++blockIdx.x)
        for (threadIdx.x = 0; threadIdx.x < THREADS; ++threadIdx.x) thread();
}

extern "C" void launch_replicas(u32 *tables, const u32 *lists, u32 replicas, u32 first, u32 end) {
    each(replicas, [=] { run_replicas(tables, lists, replicas, first, end); });
}

extern "C" void launch_sums(const u32 *tables, u32 replicas, u32 first, u32 end, double *parts) {
    each((end - first) * PARTS, [=] { sum_rows(tables, replicas, first, end, parts); });
}
