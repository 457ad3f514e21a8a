/* Four kernels, each of one kind of work: arithmetic, memory, branches, calls.
 *
 * A round starts from its seed alone, so that its result can be compared with a number written down here. The
 * compiler is not to see across the parts of a kernel (NOINLINE), or it would mix what is to be told apart.
 */
#include "kernels.h"

#define NOINLINE __attribute__((noinline))
#define COUNT(array) (sizeof(array) / sizeof *(array))

static uint32_t next_random(uint32_t *state)
{
	uint32_t x = *state;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	return *state = x;
}

static uint32_t start(uint32_t seed)
{
	return 0x9e3779b9u * (seed + 1);
}

static uint32_t rotate(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

/* ---- integer: hashing, a checksum by table, multiplication and division; all data in the first-level cache */

static uint8_t text[2048];
static uint32_t crc_table[256];

/* Eight working variables, rotations and sums: the shape of the SHA-2 family, with constants of our own. */
static NOINLINE uint32_t hash_blocks(const uint8_t *data, unsigned size)
{
	uint32_t h[8], v[8], w[16];
	unsigned i, block;

	for (i = 0; i < 8; i++)
		h[i] = start(i + 11);
	for (block = 0; block + 64 <= size; block += 64) {
		for (i = 0; i < 16; i++) {
			const uint8_t *p = data + block + 4 * i;

			w[i] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
		}
		for (i = 0; i < 8; i++)
			v[i] = h[i];
		for (i = 0; i < 64; i++) {
			uint32_t a = v[0], e = v[4];
			uint32_t s1 = rotate(e, 26) ^ rotate(e, 21) ^ rotate(e, 7);
			uint32_t s0 = rotate(a, 30) ^ rotate(a, 19) ^ rotate(a, 10);
			uint32_t choose = (e & v[5]) ^ (~e & v[6]);
			uint32_t majority = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);
			uint32_t one = v[7] + s1 + choose + w[i & 15] + 0x9e3779b9u * i;
			uint32_t x = w[(i + 1) & 15], y = w[(i + 14) & 15];

			v[7] = v[6];
			v[6] = v[5];
			v[5] = e;
			v[4] = v[3] + one;
			v[3] = v[2];
			v[2] = v[1];
			v[1] = a;
			v[0] = one + s0 + majority;
			w[i & 15] += w[(i + 9) & 15] + (rotate(x, 25) ^ rotate(x, 14) ^ x >> 3) +
				     (rotate(y, 15) ^ rotate(y, 13) ^ y >> 10);
		}
		for (i = 0; i < 8; i++)
			h[i] += v[i];
	}
	return h[0] ^ h[3] ^ h[5] ^ h[7];
}

static NOINLINE uint32_t crc(const uint8_t *data, unsigned size, uint32_t sum)
{
	unsigned i;

	for (i = 0; i < size; i++)
		sum = crc_table[(sum ^ data[i]) & 255] ^ sum >> 8;
	return sum;
}

/* Modular exponentiation with 32-bit products and remainders. */
static NOINLINE uint32_t power(uint32_t base, uint32_t exponent, uint32_t modulus)
{
	uint32_t result = 1;

	for (base %= modulus; exponent; exponent >>= 1) {
		if (exponent & 1)
			result = result * base % modulus;
		base = base * base % modulus;
	}
	return result;
}

static uint32_t integer_round(uint32_t seed)
{
	uint32_t state = start(seed), result = 0;
	unsigned i, k;

	for (i = 0; i < 256; i++) {
		uint32_t entry = i;

		for (k = 0; k < 8; k++)
			entry = entry >> 1 ^ (0xedb88320u & -(entry & 1));
		crc_table[i] = entry;
	}
	for (i = 0; i < sizeof text; i++)
		text[i] = next_random(&state) >> 7;
	for (i = 0; i < 9; i++) {
		text[i] ^= result;
		result = rotate(result, 3) + hash_blocks(text, sizeof text);
		result = crc(text, sizeof text, result);
		for (k = 0; k < 24; k++)
			result += power(result | 1, 0x9e3779b9u, 65521 - k);
	}
	return result;
}

/* ---- memory: following pointers in random order, copying, summing, sorting; half a megabyte of data */

#define NODES 8192u
#define WORDS 16384u

static struct node {
	struct node *next;
	uint32_t value, pad[2];
} nodes[NODES];
static uint32_t words[2][WORDS];

static NOINLINE uint32_t chase(unsigned steps)
{
	const struct node *node = nodes;
	uint32_t sum = 0;

	while (steps--) {
		sum = sum * 3 + node->value;
		node = node->next;
	}
	return sum;
}

static NOINLINE void copy(uint32_t *to, const uint32_t *from, unsigned count)
{
	for (; count >= 4; count -= 4, to += 4, from += 4) {
		uint32_t a = from[0], b = from[1], c = from[2], d = from[3];

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = d;
	}
}

static NOINLINE uint32_t sum_bytes(const uint32_t *data, unsigned count)
{
	const uint8_t *bytes = (const uint8_t *)data;
	uint32_t one = 1, two = 0;
	unsigned i;

	for (i = 0; i < 4 * count; i++) {
		one += bytes[i];
		two += one;
	}
	return one ^ two << 7;
}

/* Least significant byte first: histogram, offsets, scattered stores. */
static NOINLINE void radix_sort(uint32_t *from, uint32_t *to, unsigned count)
{
	unsigned shift, i;

	for (shift = 0; shift < 32; shift += 8) {
		uint32_t place[256], total = 0, *swap = from;

		for (i = 0; i < 256; i++)
			place[i] = 0;
		for (i = 0; i < count; i++)
			place[from[i] >> shift & 255]++;
		for (i = 0; i < 256; i++) {
			uint32_t here = place[i];

			place[i] = total;
			total += here;
		}
		for (i = 0; i < count; i++)
			to[place[from[i] >> shift & 255]++] = from[i];
		from = to;
		to = swap;
	}
}

static uint32_t memory_round(uint32_t seed)
{
	uint32_t state = start(seed), result = 0;
	unsigned i;

	/* One cycle through all nodes (Sattolo's shuffle), with the links held in the values meanwhile. */
	for (i = 0; i < NODES; i++)
		nodes[i].value = i;
	for (i = NODES - 1; i > 0; i--) {
		unsigned j = next_random(&state) % i;
		uint32_t swap = nodes[i].value;

		nodes[i].value = nodes[j].value;
		nodes[j].value = swap;
	}
	for (i = 0; i < NODES; i++) {
		nodes[i].next = &nodes[nodes[i].value];
		nodes[i].value = next_random(&state);
	}
	for (i = 0; i < WORDS; i++)
		words[0][i] = next_random(&state);
	result = chase(5 * NODES);
	for (i = 0; i < 8; i++)
		copy(words[1 - (i & 1)], words[i & 1], WORDS);
	result = rotate(result, 5) ^ sum_bytes(words[0], WORDS / 4);
	radix_sort(words[0], words[1], WORDS / 2);
	for (i = 1; i < WORDS / 2; i++)
		result += words[0][i - 1] <= words[0][i] ? words[0][i] ^ i : 0x10001u;
	return result;
}

/* ---- branch: an interpreter's dispatch, a sieve, a search, and words counted by a state machine */

enum op { PUSH, ADD, SUB, XOR, SHIFT, DUP, SWAP, SKIP, LOOP, MIX, OPS };

static uint8_t program[512];
static uint8_t composite[8192];
static uint32_t sorted[1024];

static NOINLINE uint32_t interpret(unsigned steps)
{
	uint32_t stack[16], count = 0;
	unsigned pc = 0, top = 2;

	stack[0] = 1;
	stack[1] = 2;
	while (steps--) {
		unsigned op = program[pc] & 15, argument = program[pc] >> 4;

		pc = (pc + 1) % sizeof program;
		switch (op) {
		case PUSH:
			if (top < COUNT(stack))
				stack[top++] = argument + count;
			break;
		case ADD:
			if (top > 2)
				top--;
			stack[top - 2] += stack[top - 1];
			break;
		case SUB:
			if (top > 2)
				top--;
			stack[top - 2] -= stack[top - 1];
			break;
		case XOR:
			stack[top - 1] ^= stack[argument % top];
			break;
		case SHIFT:
			stack[top - 1] = rotate(stack[top - 1], argument | 1);
			break;
		case DUP:
			if (top < COUNT(stack)) {
				stack[top] = stack[top - 1];
				top++;
			}
			break;
		case SWAP: {
			uint32_t swap = stack[top - 1];

			stack[top - 1] = stack[top - 2];
			stack[top - 2] = swap;
			break;
		}
		case SKIP:
			if (stack[top - 1] & 1)
				pc = (pc + argument) % sizeof program;
			break;
		case LOOP:
			if (stack[top - 1] % 3 == 0)
				pc = (pc + sizeof program - argument) % sizeof program;
			break;
		case MIX:
			stack[top - 1] = stack[top - 1] * 0x9e3779b9u + count;
			break;
		}
		count++;
	}
	return stack[0] ^ stack[1] ^ stack[top - 1] ^ pc;
}

static NOINLINE uint32_t sieve(void)
{
	uint32_t primes = 0;
	unsigned i, k;

	for (i = 0; i < sizeof composite; i++)
		composite[i] = 0;
	for (i = 2; i < sizeof composite; i++) {
		if (composite[i])
			continue;
		primes += i;
		for (k = i * i; i < 91 && k < sizeof composite; k += i)
			composite[k] = 1;
	}
	return primes;
}

static NOINLINE uint32_t search(uint32_t state, unsigned times)
{
	uint32_t found = 0;

	while (times--) {
		uint32_t wanted = next_random(&state);
		unsigned low = 0, high = COUNT(sorted);

		while (low < high) {
			unsigned middle = (low + high) / 2;

			if (sorted[middle] < wanted)
				low = middle + 1;
			else
				high = middle;
		}
		found += low;
	}
	return found;
}

/* Words, numbers and comments in a stream of random characters. */
static NOINLINE uint32_t scan(uint32_t state, unsigned length)
{
	static const char letters[] = "ab1 2;x\n#_ 90c(d";
	enum { BETWEEN, WORD, NUMBER, COMMENT } mode = BETWEEN;
	uint32_t counts[4] = { 0, 0, 0, 0 };

	while (length--) {
		char c = letters[next_random(&state) >> 11 & 15];

		if (mode == COMMENT) {
			if (c == '\n')
				mode = BETWEEN;
		} else if (c == '#') {
			mode = COMMENT;
			counts[COMMENT]++;
		} else if ((c >= 'a' && c <= 'z') || c == '_') {
			if (mode == BETWEEN)
				counts[WORD]++;
			mode = WORD;
		} else if (c >= '0' && c <= '9') {
			if (mode == BETWEEN) {
				counts[NUMBER]++;
				mode = NUMBER;
			}
		} else {
			mode = BETWEEN;
			counts[BETWEEN]++;
		}
	}
	return counts[0] ^ counts[1] << 8 ^ counts[2] << 16 ^ counts[3] << 24;
}

static uint32_t branch_round(uint32_t seed)
{
	uint32_t state = start(seed), result, at = 0;
	unsigned i;

	for (i = 0; i < sizeof program; i++) {
		uint32_t random = next_random(&state);

		program[i] = (random >> 8) % OPS | (random >> 24 & 15) << 4;
	}
	for (i = 0; i < COUNT(sorted); i++)
		sorted[i] = at += next_random(&state) >> 10;
	result = interpret(20000);
	result = rotate(result, 7) ^ sieve();
	result = rotate(result, 7) ^ search(state, 2500);
	return rotate(result, 7) ^ scan(state, 16000);
}

/* ---- call: recursion, deep and wide, calls through tables, and a callback that the callee cannot foresee */

static NOINLINE uint32_t fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static NOINLINE uint32_t ackermann(uint32_t m, uint32_t n)
{
	if (m == 0)
		return n + 1;
	if (n == 0)
		return ackermann(m - 1, 1);
	return ackermann(m - 1, ackermann(m, n - 1));
}

static NOINLINE uint32_t even(uint32_t n, uint32_t sum);

static NOINLINE uint32_t odd(uint32_t n, uint32_t sum)
{
	return n == 0 ? sum : even(n - 1, sum * 5 + n) + 1;
}

static NOINLINE uint32_t even(uint32_t n, uint32_t sum)
{
	return n == 0 ? sum : odd(n - 1, sum ^ n) ^ 2;
}

typedef uint32_t operation(uint32_t a, uint32_t b);

static uint32_t op_add(uint32_t a, uint32_t b) { return a + b; }
static uint32_t op_xor(uint32_t a, uint32_t b) { return a ^ b; }
static uint32_t op_rotate(uint32_t a, uint32_t b) { return rotate(a, (b & 15) + 1); }
static uint32_t op_less(uint32_t a, uint32_t b) { return a < b ? b - a : a; }
static uint32_t op_multiply(uint32_t a, uint32_t b) { return a * (b | 1); }

static operation *const operations[8] = { op_add, op_xor,  op_rotate, op_less,
					  op_add, op_less, op_xor,    op_multiply };

static NOINLINE uint32_t dispatch(uint32_t state, unsigned times)
{
	uint32_t result = state;

	while (times--) {
		uint32_t random = next_random(&state);

		result = operations[random >> 9 & 7](result, random);
	}
	return result;
}

static int ascending(uint32_t a, uint32_t b) { return a < b; }
static int by_low_half(uint32_t a, uint32_t b) { return (a & 0xffff) < (b & 0xffff); }

static NOINLINE void quick_sort(uint32_t *data, int low, int high, int (*before)(uint32_t, uint32_t))
{
	while (low < high) {
		uint32_t pivot = data[(low + high) / 2];
		int i = low, k = high;

		while (i <= k) {
			while (before(data[i], pivot))
				i++;
			while (before(pivot, data[k]))
				k--;
			if (i <= k) {
				uint32_t swap = data[i];

				data[i++] = data[k];
				data[k--] = swap;
			}
		}
		quick_sort(data, low, k, before);
		low = i;
	}
}

static uint32_t call_round(uint32_t seed)
{
	uint32_t state = start(seed), result;
	unsigned i;

	result = fibonacci(18 + (seed & 1));
	result = rotate(result, 9) ^ ackermann(2, 40 + seed);
	result = rotate(result, 9) ^ even(400 + seed, state);
	result = rotate(result, 9) ^ dispatch(state, 16000);
	for (i = 0; i < COUNT(sorted); i++)
		sorted[i] = next_random(&state);
	quick_sort(sorted, 0, COUNT(sorted) - 1, ascending);
	result = rotate(result, 9) ^ sorted[300];
	quick_sort(sorted, 0, COUNT(sorted) - 1, by_low_half);
	return rotate(result, 9) ^ sorted[700];
}

const struct bench_kernel bench_kernels[BENCH_KERNELS] = {
	{ "integer", "hash, CRC, products and remainders", integer_round, 50,
	  { 0x9503ac41, 0x835990c1, 0x78a919ec, 0x3288e618 } },
	{ "memory", "pointer chase, copy, byte sums, radix sort", memory_round, 54,
	  { 0x14153fdf, 0xded09ce7, 0x26986ede, 0x2875993c } },
	{ "branch", "interpreter, sieve, search, scanner", branch_round, 90,
	  { 0x795722c5, 0x2d91b5f9, 0x18175cc8, 0x7294d40e } },
	{ "call", "recursion, tables of functions, callbacks", call_round, 120,
	  { 0x10192fdb, 0x9674a435, 0xa10b1510, 0xf56f1796 } },
};
