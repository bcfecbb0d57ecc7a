// What the files of this folder offer for bfloat16.
#pragma once
#include "kernels.h"

extern const struct tile_kernels amx_tiles, model_tiles;
