// Runs a verilated design for so many cycles; prints seconds, then outputs and digests of memories.
// Included before this: the model's headers, and what LIST_OUTPUTS(X) and LIST_MEMORIES(X) stand for.
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>

int main(int argc, char **argv) {
    const uint64_t cycles = strtoull(argv[1], nullptr, 0);
    auto context = std::make_unique<VerilatedContext>();
    auto top = std::make_unique<Vtop>(context.get());
    top->rst = 0;
    top->clk = 0;
    top->eval();
    const auto start = std::chrono::steady_clock::now();
    for (uint64_t n = 0; n < cycles; n++) {
        top->clk = 1;
        top->eval();
        top->clk = 0;
        top->eval();
    }
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    printf("%.9f", spent.count());
#define OUTPUT(name) printf(" %" PRIu64, uint64_t(top->name));
    LIST_OUTPUTS(OUTPUT)
#define MEMORY(name, depth) { \
        uint64_t digest = 0xCBF29CE484222325; \
        for (unsigned row = 0; row < depth; row++) digest = (digest ^ top->rootp->name[row]) * 0x100000001B3; \
        printf(" %" PRIu64, digest); }
    LIST_MEMORIES(MEMORY)
    printf("\n");
    return 0;
}
