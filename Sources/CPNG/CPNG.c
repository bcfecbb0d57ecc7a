#include "CPNG.h"
void cpng_placeholder(void) {}
