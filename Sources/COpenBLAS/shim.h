// The only place that sees OpenBLAS. cblas.h declares everything used: cblas_sgemm and the openblas_* queries.
#pragma once
#include <cblas.h>
