// The arithmetic peak of one core, by loops of nothing but multiply-adds in the widest vectors that the processor has.
#pragma once

/// float32 operations per second (a multiply-add is two), over about `seconds`.
double cprocessorpeak_float32(double seconds);

/// The same for bfloat16 dot products; 0 where the processor has no instruction for them.
double cprocessorpeak_bfloat16(double seconds);

/// The same for products of bfloat16 tiles, with the loads of their factors from 96 KB; 0 where it has no such unit.
double cprocessorpeak_tiles(double seconds);
