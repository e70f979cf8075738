/* Stands for the Windows SDK; see windows.h. */
#ifndef _WINSOCK2API_
#define _WINSOCK2API_
#define _WINSOCKAPI_
#include <windows.h>

typedef UINT_PTR SOCKET;
#define INVALID_SOCKET (SOCKET)(~0)
#define SOCKET_ERROR (-1)

/* inaddr.h */
typedef struct in_addr {
    union {
        struct { UCHAR s_b1, s_b2, s_b3, s_b4; } S_un_b;
        struct { USHORT s_w1, s_w2; } S_un_w;
        ULONG S_addr;
    } S_un;
#define s_addr S_un.S_addr
#define s_host S_un.S_un_b.s_b2
#define s_net S_un.S_un_b.s_b1
#define s_imp S_un.S_un_w.s_w2
#define s_impno S_un.S_un_b.s_b4
#define s_lh S_un.S_un_b.s_b3
} IN_ADDR;

#define h_addr h_addr_list[0]

struct sockaddr { USHORT sa_family; CHAR sa_data[14]; };
struct sockaddr_in { SHORT sin_family; USHORT sin_port; IN_ADDR sin_addr; CHAR sin_zero[8]; };
struct sockaddr_storage { SHORT ss_family; CHAR pad1[6]; __int64 align; CHAR pad2[112]; };

typedef struct WSAData { WORD wVersion, wHighVersion; CHAR rest[400]; } WSADATA, *LPWSADATA;
typedef struct _WSABUF { ULONG len; CHAR *buf; } WSABUF, *LPWSABUF;
typedef struct pollfd { SOCKET fd; SHORT events, revents; } WSAPOLLFD, *LPWSAPOLLFD;

#define MAKEWORD(a, b) ((WORD)(((BYTE)(a)) | ((WORD)((BYTE)(b))) << 8))
#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_INET 2
#define AF_INET6 23
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define IPPROTO_IPV6 41
#define SOL_SOCKET 0xffff
#define SO_REUSEADDR 0x0004
#define SO_EXCLUSIVEADDRUSE ((int)(~SO_REUSEADDR))
#define SO_ERROR 0x1007
#define SO_CONNECT_TIME 0x700C
#define TCP_NODELAY 0x0001
#define MSG_PEEK 0x2
#define SD_RECEIVE 0
#define SD_SEND 1
#define SD_BOTH 2
#define SOMAXCONN 0x7fffffff
#define INADDR_ANY ((ULONG)0x00000000)
#define INADDR_LOOPBACK 0x7f000001
#define FIONBIO 0x8004667e
#define POLLRDNORM 0x0100
#define POLLRDBAND 0x0200
#define POLLIN (POLLRDNORM | POLLRDBAND)
#define POLLWRNORM 0x0010
#define POLLOUT (POLLWRNORM)
#define POLLERR 0x0001
#define POLLHUP 0x0002
#define POLLNVAL 0x0004
#define WSA_FLAG_OVERLAPPED 0x01
#define WSA_FLAG_NO_HANDLE_INHERIT 0x80
#define WSA_NOT_ENOUGH_MEMORY 8L
#define WSAEINTR 10004L
#define WSAEMSGSIZE 10040L
#define WSAEACCES 10013L
#define WSAEMFILE 10024L
#define WSAEWOULDBLOCK 10035L
#define WSAEINPROGRESS 10036L
#define WSAEALREADY 10037L
#define WSAEADDRINUSE 10048L
#define WSAEADDRNOTAVAIL 10049L
#define WSAENETUNREACH 10051L
#define WSAECONNABORTED 10053L
#define WSAECONNRESET 10054L
#define WSAENOBUFS 10055L
#define WSAEISCONN 10056L
#define WSAETIMEDOUT 10060L
#define WSAECONNREFUSED 10061L
#define WSAHOST_NOT_FOUND 11001L
#define WSATRY_AGAIN 11002L

#ifdef __cplusplus
extern "C" {
#endif
INT WINAPI WSAStartup(WORD version, LPWSADATA data);
INT WINAPI WSAGetLastError(void);
void WINAPI WSASetLastError(INT error);
SOCKET WINAPI socket(INT family, INT type, INT protocol);
SOCKET WINAPI WSASocketW(INT family, INT type, INT protocol, LPVOID info, UINT group, DWORD flags);
SOCKET WINAPI WSASocketA(INT family, INT type, INT protocol, LPVOID info, UINT group, DWORD flags);
SOCKET WINAPI accept(SOCKET s, struct sockaddr *a, INT *size);
INT WINAPI bind(SOCKET s, const struct sockaddr *a, INT size);
INT WINAPI closesocket(SOCKET s);
INT WINAPI connect(SOCKET s, const struct sockaddr *a, INT size);
INT WINAPI ioctlsocket(SOCKET s, LONG command, u_long *value);
INT WINAPI getpeername(SOCKET s, struct sockaddr *a, INT *size);
INT WINAPI getsockname(SOCKET s, struct sockaddr *a, INT *size);
INT WINAPI getsockopt(SOCKET s, INT level, INT name, char *value, INT *size);
INT WINAPI setsockopt(SOCKET s, INT level, INT name, const char *value, INT size);
INT WINAPI listen(SOCKET s, INT backlog);
INT WINAPI recv(SOCKET s, char *buf, INT size, INT flags);
INT WINAPI recvfrom(SOCKET s, char *buf, INT size, INT flags, struct sockaddr *a, INT *n);
INT WINAPI send(SOCKET s, const char *buf, INT size, INT flags);
INT WINAPI sendto(SOCKET s, const char *buf, INT size, INT flags, const struct sockaddr *a, INT n);
INT WINAPI shutdown(SOCKET s, INT how);
INT WINAPI WSAPoll(LPWSAPOLLFD fds, ULONG count, INT timeout);
INT WINAPI WSASend(SOCKET s, LPWSABUF v, DWORD count, DWORD *sent, DWORD flags, LPVOID overlapped,
                   LPVOID done);
INT WINAPI WSARecv(SOCKET s, LPWSABUF v, DWORD count, DWORD *got, DWORD *flags, LPVOID overlapped,
                   LPVOID done);
ULONG WINAPI htonl(ULONG v);
ULONG WINAPI ntohl(ULONG v);
USHORT WINAPI htons(USHORT v);
USHORT WINAPI ntohs(USHORT v);
#ifdef __cplusplus
}
#endif
#define WSASocket WSASocketA

#endif
