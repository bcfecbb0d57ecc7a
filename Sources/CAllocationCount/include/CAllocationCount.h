// Counts the heap allocations of a program that links this: its malloc and relatives take the place of the C library's
// for the program and all its libraries, count, and call the originals. glibc only; not for the program that users run.
#pragma once
#include <stddef.h>
#include <stdint.h>

/// Allocations of `callocationcount_threshold` bytes or more since the program began, on all threads.
uint64_t callocationcount(void);

enum { callocationcount_threshold = 4096 };

/// From now on the next `count` such allocations are reported on standard error, each with its size and callers.
void callocationcount_report(int count);
