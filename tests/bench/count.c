/* Counts the system calls by which a server moves bytes, and what ws.h asks for memory (realloc).
   Built as count.so and loaded with LD_PRELOAD; on SIGTERM it prints "calls N" and "allocations N"
   to standard error and ends the program. Linux. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static unsigned long calls, allocations;
static void *(*next_realloc)(void *p, size_t n);

#define CALL(number, ...) (__atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED), syscall(number, __VA_ARGS__))

ssize_t recv(int fd, void *p, size_t n, int flags) { return CALL(SYS_recvfrom, fd, p, n, flags, NULL, NULL); }
ssize_t send(int fd, const void *p, size_t n, int flags) { return CALL(SYS_sendto, fd, p, n, flags, NULL, 0); }
ssize_t recvmsg(int fd, struct msghdr *m, int flags) { return CALL(SYS_recvmsg, fd, m, flags); }
ssize_t sendmsg(int fd, const struct msghdr *m, int flags) { return CALL(SYS_sendmsg, fd, m, flags); }
ssize_t readv(int fd, const struct iovec *v, int n) { return CALL(SYS_readv, fd, v, n); }
ssize_t writev(int fd, const struct iovec *v, int n) { return CALL(SYS_writev, fd, v, n); }
int epoll_ctl(int ep, int op, int fd, struct epoll_event *e) { return (int)CALL(SYS_epoll_ctl, ep, op, fd, e); }

int epoll_wait(int ep, struct epoll_event *e, int n, int timeout)
{
    return (int)CALL(SYS_epoll_pwait, ep, e, n, timeout, NULL, 8);
}

void *realloc(void *p, size_t n)
{
    if (!next_realloc) *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    __atomic_add_fetch(&allocations, 1, __ATOMIC_RELAXED);
    return next_realloc(p, n);
}

static void on_term(int sig)
{
    char line[96];
    int n = snprintf(line, sizeof line, "calls %lu\nallocations %lu\n", calls, allocations);

    (void)sig;
    _exit(write(2, line, (size_t)n) != n);
}

__attribute__((constructor)) static void begin(void) { signal(SIGTERM, on_term); }
