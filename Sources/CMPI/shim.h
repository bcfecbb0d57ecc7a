// The only place that sees mpi.h.
#pragma once
#include <mpi.h>
