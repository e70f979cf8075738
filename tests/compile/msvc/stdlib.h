/* Stands for the C library of Visual Studio; see string.h. */
#ifndef STUB_STDLIB_H
#define STUB_STDLIB_H
#include <string.h>

#ifndef __cplusplus
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif

#ifdef __cplusplus
extern "C" {
#endif
void *malloc(size_t n);
void *calloc(size_t count, size_t n);
void *realloc(void *p, size_t n);
void free(void *p);
unsigned long strtoul(const char *s, char **end, int base);
long strtol(const char *s, char **end, int base);
STUB_UNSAFE(_dupenv_s) char *getenv(const char *name);
#ifdef __cplusplus
}
#endif

#endif
