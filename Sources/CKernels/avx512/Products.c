#include "Tables.h"

#if defined(__x86_64__)
#include "Words.h"

// 14 rows of two registers are 28 sums; with two registers of `b` and one of `a` that is all but one of the 32.
enum { MOST_ROWS = 14 };

// Where the walk through the memory ahead stands.
struct walk {
    const char *next, *end;
};

// A walk through nothing stays where it is, at an address that exists: looking up another one would cost time.
static struct walk walk_of(const struct kernels_product *shape, int region, const void *known) {
    const char *start = shape->ahead_bytes[region] > 0 ? shape->ahead[region] : known;
    return (struct walk){start, start + shape->ahead_bytes[region]};
}

// Sixteen sums as float32, or rounded to bfloat16.
INLINE(FLOAT32) void store_sums_float32(void *c, intptr_t place, __m512 sum, bool accumulate) {
    float *target = (float *)c + place;
    store_float32(target, accumulate ? _mm512_add_ps(sum, load_float32(target)) : sum);
}

INLINE(BFLOAT16) void store_sums_bfloat16(void *c, intptr_t place, __m512 sum, bool accumulate) {
    uint16_t *target = (uint16_t *)c + place;
    store_bfloat16(target, accumulate ? _mm512_add_ps(sum, load_bfloat16(target)) : sum);
}

// One block of `rows` rows and one panel of columns. Rows are addressed from every third one: more pointers than that
// do not fit the general registers.
#define DEFINE_PRODUCT(type, features, multiply, store)                                                                \
    static inline __attribute__((always_inline, target(features))) void block_##type(                                  \
        const int rows, const struct kernels_product *shape, const float *a, const float *b, void *c, intptr_t place,  \
        struct walk *walk) {                                                                                           \
        const char *next = walk->next, *const end = walk->end;                                                         \
        __m512 sums[MOST_ROWS][2];                                                                                     \
        const float *thirds[(MOST_ROWS + 2) / 3];                                                                      \
        const intptr_t stride = shape->a_row_stride;                                                                   \
        UNROLL for (int i = 0; i < rows; i++) sums[i][0] = sums[i][1] = _mm512_setzero_ps();                           \
        UNROLL for (int i = 0; i < rows; i += 3) thirds[i / 3] = a + i * stride;                                       \
        for (intptr_t d = 0; d < shape->depth; d++, b += kernels_panel) {                                              \
            const __m512 left = _mm512_loadu_ps(b), right = _mm512_loadu_ps(b + 16);                                   \
            UNROLL for (int i = 0; i < rows; i++) {                                                                    \
                const __m512 value = _mm512_set1_ps(thirds[i / 3][i % 3 * stride]);                                    \
                sums[i][0] = multiply(sums[i][0], value, left);                                                        \
                sums[i][1] = multiply(sums[i][1], value, right);                                                       \
            }                                                                                                          \
            UNROLL for (int i = 0; i < rows; i += 3) thirds[i / 3] += shape->a_depth_stride;                           \
            _mm_prefetch(next, _MM_HINT_T1);                                                                           \
            next += next < end ? 64 : 0;                                                                               \
        }                                                                                                              \
        walk->next = next;                                                                                             \
        UNROLL for (int i = 0; i < rows; i++, place += shape->c_row_stride) {                                          \
            store(c, place, sums[i][0], shape->accumulate);                                                            \
            store(c, place + 16, sums[i][1], shape->accumulate);                                                       \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    __attribute__((target(features))) static void rows_##type(                                                         \
        intptr_t rows, const struct kernels_product *shape, const float *a, const float *b, void *c, intptr_t place,   \
        struct walk *walk) {                                                                                           \
        switch (rows) {                                                                                                \
        case 1: block_##type(1, shape, a, b, c, place, walk); break;                                                   \
        case 2: block_##type(2, shape, a, b, c, place, walk); break;                                                   \
        case 3: block_##type(3, shape, a, b, c, place, walk); break;                                                   \
        case 4: block_##type(4, shape, a, b, c, place, walk); break;                                                   \
        case 5: block_##type(5, shape, a, b, c, place, walk); break;                                                   \
        case 6: block_##type(6, shape, a, b, c, place, walk); break;                                                   \
        case 7: block_##type(7, shape, a, b, c, place, walk); break;                                                   \
        case 8: block_##type(8, shape, a, b, c, place, walk); break;                                                   \
        case 9: block_##type(9, shape, a, b, c, place, walk); break;                                                   \
        case 10: block_##type(10, shape, a, b, c, place, walk); break;                                                 \
        case 11: block_##type(11, shape, a, b, c, place, walk); break;                                                 \
        case 12: block_##type(12, shape, a, b, c, place, walk); break;                                                 \
        case 13: block_##type(13, shape, a, b, c, place, walk); break;                                                 \
        default: block_##type(MOST_ROWS, shape, a, b, c, place, walk); break;                                          \
        }                                                                                                              \
    }                                                                                                                  \
                                                                                                                       \
    static void multiply_##type(const struct kernels_product *shape, const void *a, const void *b, void *c) {          \
        /* Blocks of nearly equal height: a last one of a few rows would wait for its own sums. */                     \
        const intptr_t blocks = (shape->rows + MOST_ROWS - 1) / MOST_ROWS;                                             \
        int region = 0;                                                                                                \
        struct walk walk = walk_of(shape, 0, b);                                                                       \
        for (intptr_t column = 0; column < shape->columns; column += kernels_panel) {                                  \
            const float *panel = (const float *)b + column * shape->depth;                                             \
            for (intptr_t i = 0, row = 0; i < blocks; i++) {                                                           \
                const intptr_t end = shape->rows * (i + 1) / blocks;                                                   \
                rows_##type(end - row, shape, (const float *)a + row * shape->a_row_stride, panel, c,                  \
                            row * shape->c_row_stride + column, &walk);                                                \
                row = end;                                                                                             \
                if (region == 0 && walk.next >= walk.end) {                                                            \
                    region = 1;                                                                                        \
                    walk = walk_of(shape, 1, b);                                                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define MULTIPLY_FLOAT32(sum, a, b) _mm512_fmadd_ps(a, b, sum)
#define MULTIPLY_BFLOAT16(sum, a, b) _mm512_dpbf16_ps(sum, (__m512bh)(a), (__m512bh)(b))

DEFINE_PRODUCT(float32, FLOAT32, MULTIPLY_FLOAT32, store_sums_float32)
DEFINE_PRODUCT(bfloat16, BFLOAT16, MULTIPLY_BFLOAT16, store_sums_float32)
DEFINE_PRODUCT(bfloat16_rounded, BFLOAT16, MULTIPLY_BFLOAT16, store_sums_bfloat16)

const struct product_kernels avx512_products[] = {
    {.multiply = multiply_float32, .multiply_rounded = multiply_float32},
    {.multiply = multiply_bfloat16, .multiply_rounded = multiply_bfloat16_rounded},
};
#endif
