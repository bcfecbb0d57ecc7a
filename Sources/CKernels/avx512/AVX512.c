#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"

// 14 rows of two registers are 28 sums, of 32 registers.
enum { MOST_ROWS = 14, DEPTH_AT_ONCE = 1 };
#define FOR_EACH_LOWER_HEIGHT(DO) \
    DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)

#define TYPE float32
#define ELEMENT float
#define FEATURES FLOAT32
#define MULTIPLY_ADD(sum, a, b) multiply_add(a, b, sum)
#include "../vectors/Kernels.h"
#undef TYPE
#undef ELEMENT
#undef FEATURES
#undef MULTIPLY_ADD

#define TYPE bfloat16
#define ELEMENT uint16_t
#define FEATURES BFLOAT16
#define MULTIPLY_ADD(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))
#include "../vectors/Kernels.h"

const struct kernels *const avx512_tables[] = {&table_float32, &table_bfloat16};
#endif
