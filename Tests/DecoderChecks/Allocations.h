// The heap of this program, which fails when told to and knows what was not given back. glibc only.
#pragma once

/// From now on until `allocations_end` allocations are counted, and the one after `successes` others fails.
void allocations_begin(long successes);

/// Whether the failure came, and in `lost` how many blocks that were allocated since the beginning are not freed.
int allocations_end(long *lost);
