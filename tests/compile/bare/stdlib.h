/* Stands for the <stdlib.h> of a C library of 16 bits: what ws.h calls of it. */
#include <stddef.h>

void *realloc(void *old, size_t n);
void free(void *old);
