// What the files of this folder offer, by element type: bfloat16 is widened on processors without AVX-512.
#pragma once
#include "kernels.h"

extern const struct kernels *const avx2_tables[2];
