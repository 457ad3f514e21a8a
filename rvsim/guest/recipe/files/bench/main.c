/* /bin/bench: how fast this computer executes instructions, by kind of work.
 *
 * Seconds are the guest's own clock. Instructions come from the hart's counter, and MIPS follow from both; on
 * an emulator whose counter does not count instructions only `rounds/s` is comparable.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels.h"

static uint64_t instructions(void)
{
#if defined(__riscv) && __riscv_xlen == 32
	uint32_t low, high, again;

	do
		__asm__ volatile("rdinstreth %0; rdinstret %1; rdinstreth %2" : "=r"(high), "=r"(low), "=r"(again));
	while (high != again);
	return (uint64_t)high << 32 | low;
#elif defined(__riscv)
	uint64_t count;

	__asm__ volatile("rdinstret %0" : "=r"(count));
	return count;
#else
	return 0;
#endif
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

/* Runs one kernel and prints its line; true if every result was right. */
static int run(const struct bench_kernel *kernel, double scale)
{
	uint32_t rounds = kernel->rounds * scale < 1 ? 1 : (uint32_t)(kernel->rounds * scale);
	uint32_t i, wrong = 0, checksum = 0;
	double began = seconds(), took;
	uint64_t before = instructions(), count;

	for (i = 0; i < rounds; i++) {
		uint32_t result = kernel->round(i % BENCH_SEEDS);

		wrong += result != kernel->expected[i % BENCH_SEEDS];
		checksum = checksum * 31 + result;
	}
	count = instructions() - before;
	took = seconds() - began;
	if (took <= 0)
		took = 1e-9;
	printf("%-8s %12llu %9.3f %9.1f %9.1f  %08x %s\n", kernel->name, (unsigned long long)count, took,
	       count / took * 1e-6, rounds / took, checksum, wrong ? "WRONG" : "ok");
	fflush(stdout);
	return !wrong;
}

int main(int argc, char **argv)
{
	const char *only = NULL;
	double scale = 1;
	int i, ran = 0, right = 1;

	for (i = 1; i < argc; i++) {
		char *end;
		double number = strtod(argv[i], &end);

		if (end != argv[i] && *end == 0 && number > 0 && number <= 10000) {
			scale = number;
		} else if (!strcmp(argv[i], "counters")) {
			printf("instret %llu\n", (unsigned long long)instructions());
			return 0;
		} else if (!only && argv[i][0] != '-') {
			only = argv[i];
		} else {
			fprintf(stderr, "usage: bench [SCALE] [KERNEL] | bench counters\n"
					"SCALE: 0.01 to 10000 times the usual work; kernels:\n");
			for (i = 0; i < BENCH_KERNELS; i++)
				fprintf(stderr, "  %-8s %s\n", bench_kernels[i].name, bench_kernels[i].what);
			return 2;
		}
	}
	printf("%-8s %12s %9s %9s %9s  checksum\n", "kernel", "instructions", "seconds", "MIPS", "rounds/s");
	for (i = 0; i < BENCH_KERNELS; i++) {
		if (only && strcmp(only, bench_kernels[i].name))
			continue;
		right &= run(&bench_kernels[i], scale);
		ran++;
	}
	if (!ran) {
		fprintf(stderr, "bench: no kernel '%s'; `bench -h` lists them\n", only);
		return 2;
	}
	return !right;
}
