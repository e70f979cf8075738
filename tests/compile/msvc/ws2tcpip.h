/* Stands for the Windows SDK; see windows.h. */
#ifndef _WS2TCPIP_H_
#define _WS2TCPIP_H_
#include <winsock2.h>

typedef INT socklen_t;
struct in6_addr { union { UCHAR Byte[16]; USHORT Word[8]; } u; };
#define s6_addr u.Byte
struct sockaddr_in6 {
    USHORT sin6_family, sin6_port;
    ULONG sin6_flowinfo;
    struct in6_addr sin6_addr;
    ULONG sin6_scope_id;
};
typedef struct addrinfo {
    INT ai_flags, ai_family, ai_socktype, ai_protocol;
    size_t ai_addrlen;
    char *ai_canonname;
    struct sockaddr *ai_addr;
    struct addrinfo *ai_next;
} ADDRINFOA;

#define AI_PASSIVE 0x1
#define AI_CANONNAME 0x2
#define AI_NUMERICHOST 0x4
#define AI_NUMERICSERV 0x8
#define AI_ADDRCONFIG 0x400
#define NI_NUMERICHOST 0x02
#define NI_NUMERICSERV 0x08
#define EAI_AGAIN WSATRY_AGAIN
#define EAI_FAIL 11003L
#define EAI_MEMORY 8L
#define EAI_NODATA 11004L
#define EAI_NONAME WSAHOST_NOT_FOUND
#define IPV6_V6ONLY 27
#define INET6_ADDRSTRLEN 65

#ifdef __cplusplus
extern "C" {
#endif
INT WINAPI getaddrinfo(PCSTR host, PCSTR port, const ADDRINFOA *hints, ADDRINFOA **found);
VOID WINAPI freeaddrinfo(ADDRINFOA *a);
INT WINAPI getnameinfo(const struct sockaddr *a, socklen_t size, char *host, DWORD host_size,
                       char *port, DWORD port_size, INT flags);
PCSTR WINAPI inet_ntop(INT family, const VOID *a, PSTR buf, size_t size);
INT WINAPI inet_pton(INT family, PCSTR text, PVOID a);
#ifdef __cplusplus
}
#endif

#endif
