// What the files of this folder offer, by element type.
#pragma once
#include "kernels.h"

extern const struct kernels *const avx512_tables[2];
