/* The library's own invariants, checked in all tests: included by the compiler before
   all else. */
#ifdef __cplusplus
extern "C" {
#endif
extern int dprintf(int file, const char *format, ...);
extern void abort(void);
#ifdef __cplusplus
}
#endif

#define WS_ASSERT(truth) \
    ((truth) ? (void)0 \
             : (dprintf(2, "FAIL %s:%d: invariant: %s\n", __FILE__, __LINE__, #truth), \
                abort()))
