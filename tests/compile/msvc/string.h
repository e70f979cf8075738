/* Stands for the C library of Visual Studio: what it calls unsafe is an error under /sdl. */
#ifndef STUB_STRING_H
#define STUB_STRING_H
#include <stddef.h>

#define STUB_UNSAFE(better) __declspec(deprecated("C4996: consider using " #better " instead"))

#ifdef __cplusplus
extern "C" {
#endif
void *memcpy(void *to, const void *from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int b, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
size_t strspn(const char *s, const char *set);
size_t strcspn(const char *s, const char *set);
#ifndef __cplusplus
void *memchr(const void *p, int b, size_t n);
char *strchr(const char *s, int b);
char *strrchr(const char *s, int b);
char *strstr(const char *s, const char *part);
#endif
STUB_UNSAFE(strcpy_s) char *strcpy(char *to, const char *from);
STUB_UNSAFE(strncpy_s) char *strncpy(char *to, const char *from, size_t n);
STUB_UNSAFE(strcat_s) char *strcat(char *to, const char *from);
STUB_UNSAFE(strncat_s) char *strncat(char *to, const char *from, size_t n);
STUB_UNSAFE(strtok_s) char *strtok(char *s, const char *set);
STUB_UNSAFE(strerror_s) char *strerror(int error);
#ifdef __cplusplus
}
const void *memchr(const void *p, int b, size_t n);     /* C++ has two of each */
void *memchr(void *p, int b, size_t n);
const char *strchr(const char *s, int b);
char *strchr(char *s, int b);
const char *strrchr(const char *s, int b);
char *strrchr(char *s, int b);
const char *strstr(const char *s, const char *part);
char *strstr(char *s, const char *part);
#endif

#endif
