#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"

// Six rows of two registers are twelve sums, of sixteen registers.
enum { MOST_ROWS = 6, DEPTH_AT_ONCE = 4 };
#define FOR_EACH_LOWER_HEIGHT(DO) DO(1) DO(2) DO(3) DO(4) DO(5)

#define TYPE float32
#define ELEMENT float
#define FEATURES FLOAT32
#define MULTIPLY_ADD(sum, a, b) multiply_add(a, b, sum)
#include "../vectors/Kernels.h"

const struct kernels *const avx2_tables[] = {&table_float32, NULL};
#endif
