/* A test program: TEST(name) { CHECK(...); ... } then TESTS(T(a) T(b)) as main. Run
   without arguments for all tests, or with the names of some. Prints "ok name" or "FAIL
   name" for each; the last line is "N passed, N failed", counting tests. */
#ifndef TEST_H
#define TEST_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int test_faults;      /* failed checks of the test that runs */
static long test_checks;

#define TEST(name) static void test_##name(void)

#define CHECK(cond) \
    do { \
        test_checks++; \
        if (!(cond)) test_fault(__FILE__, __LINE__, #cond); \
    } while (0)

#define CHECK_INT(have, want) \
    do { \
        long long test_a = (long long)(have), test_b = (long long)(want); \
        test_checks++; \
        if (test_a != test_b) { \
            test_fault(__FILE__, __LINE__, #have " == " #want); \
            printf("    have %lld, want %lld\n", test_a, test_b); \
        } \
    } while (0)

#define CHECK_STR(have, want) \
    do { \
        const char *test_a = (have), *test_b = (want); \
        test_checks++; \
        if (!test_a || strcmp(test_a, test_b)) { \
            test_fault(__FILE__, __LINE__, #have " == " #want); \
            printf("    " \
                   "have \"%s\", want \"%s\"\n", test_a ? test_a : "(null)", test_b); \
        } \
    } while (0)

static void test_fault(const char *file, int line, const char *what)
{
    if (test_faults++ < 10) printf("  %s:%d: %s\n", file, line, what);
}

typedef struct test_case { const char *name; void (*run)(void); } test_case;

static int test_main(const test_case *all, size_t n, int argc, char **argv)
{
    size_t i;
    int passed = 0, failed = 0;

    for (i = 0; i < n; i++) {
        int k, wanted = argc < 2;
        for (k = 1; k < argc; k++) wanted |= !strcmp(argv[k], all[i].name);
        if (!wanted) continue;
        test_faults = 0;
        fflush(stdout);
        all[i].run();
        if (test_faults) {
            failed++;
            printf("FAIL %s (%d faults)\n", all[i].name, test_faults);
        } else {
            passed++;
            printf("ok %s\n", all[i].name);
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0;
}

#define T(name) { #name, test_##name },
#define TESTS(list) \
    static const test_case test_all[] = { list }; \
    int main(int argc, char **argv) \
    { return test_main(test_all, sizeof test_all / sizeof *test_all, argc, argv); }
#endif
