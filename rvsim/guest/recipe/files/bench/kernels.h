/* The kernels of the CPU benchmark: no libc, no system calls, so that they run on bare metal too. */
#ifndef RVSIM_BENCH_KERNELS_H
#define RVSIM_BENCH_KERNELS_H

#include <stdint.h>

/* Rounds with different seeds do different work of the same kind; each seed has one right result. */
#define BENCH_SEEDS 4

struct bench_kernel {
	const char *name;
	const char *what;                 /* what it exercises, in one line */
	uint32_t (*round)(uint32_t seed); /* one unit of work, about a million instructions; returns its result */
	uint32_t rounds;                  /* units in a normal run: about a hundred million instructions */
	uint32_t expected[BENCH_SEEDS];   /* right result by seed */
};

#define BENCH_KERNELS 4
extern const struct bench_kernel bench_kernels[BENCH_KERNELS];

#endif
