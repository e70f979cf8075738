/* The functions of <string.h> that compilers call by themselves, in few bytes. */
#include <stddef.h>

void *memset(void *to, int value, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int   memcmp(const void *a, const void *b, size_t n);

__attribute__((used)) void *memset(void *to, int value, size_t n)
{
    volatile unsigned char *at = (unsigned char *)to;

    while (n--) *at++ = (unsigned char)value;
    return to;
}

__attribute__((used)) void *memcpy(void *to, const void *from, size_t n)
{
    volatile unsigned char *at = (unsigned char *)to;
    const unsigned char *source = (const unsigned char *)from;

    while (n--) *at++ = *source++;
    return to;
}

__attribute__((used)) int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *left = (const unsigned char *)a, *right = (const unsigned char *)b;

    for (; n; n--, left++, right++)
        if (*left != *right) return *left - *right;
    return 0;
}
