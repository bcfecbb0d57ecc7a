#include "CJPEG.h"
void cjpeg_placeholder(void) {}
