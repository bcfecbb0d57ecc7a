// The only place that sees OpenBLAS. cblas.h declares its products, triangular solutions and openblas_* queries,
// f77blas.h the factorisation dpotrf_, which OpenBLAS has without a LAPACK beside it.
#pragma once
#include <cblas.h>
#include <f77blas.h>
