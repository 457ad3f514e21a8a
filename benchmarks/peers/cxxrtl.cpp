// Runs a CXXRTL design for so many cycles; prints seconds, then outputs and digests of memories.
// Included before this: the model, and what LIST_OUTPUTS(X) and LIST_MEMORIES(X) stand for.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>

int main(int argc, char **argv) {
    const uint64_t cycles = strtoull(argv[1], nullptr, 0);
    cxxrtl_design::p_top top;
    top.p_rst.set<bool>(false);
    top.p_clk.set<bool>(false);
    top.step();
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t n = 0; n < cycles; n++) {
        top.p_clk.set<bool>(true);
        top.step();
        top.p_clk.set<bool>(false);
        top.step();
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    printf("%.9f", spent.count());
#define OUTPUT(name) printf(" %" PRIu64, top.p_##name.get<uint64_t>());
    LIST_OUTPUTS(OUTPUT)
#define MEMORY(name, depth) { \
        uint64_t digest = 0xCBF29CE484222325; \
        for (unsigned row = 0; row < depth; row++) digest = (digest ^ top.name[row].get<uint64_t>()) * 0x100000001B3; \
        printf(" %" PRIu64, digest); }
    LIST_MEMORIES(MEMORY)
    printf("\n");
    return 0;
}
