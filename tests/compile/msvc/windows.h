/* Stands for the Windows SDK where there is none: what ws.h needs of it, and the macros that the
   real headers leave behind, for names that a program may not use. */
#ifndef STUB_WINDOWS_H
#define STUB_WINDOWS_H

#define WINAPI __stdcall

/* minwindef.h, windef.h */
#define far
#define near
#define FAR
#define NEAR
#define IN
#define OUT
#define OPTIONAL
#define CONST const
#define pascal __stdcall
#define cdecl
#define CALLBACK __stdcall
#define TRUE 1
#define FALSE 0
#define MAX_PATH 260
#ifndef NOMINMAX
#define max(a, b) (((a) > (b)) ? (a) : (b))
#define min(a, b) (((a) < (b)) ? (a) : (b))
#endif

typedef unsigned long DWORD, ULONG, u_long;
typedef long LONG;
typedef int BOOL, INT;
typedef unsigned int UINT;
typedef unsigned short WORD, USHORT, u_short, WCHAR_STUB;
typedef unsigned char BYTE, UCHAR, boolean, byte;
typedef short SHORT;
typedef char CHAR;
typedef void VOID, *PVOID, *LPVOID, *HANDLE;
typedef unsigned char *PUCHAR;
typedef const char *PCSTR, *LPCSTR;
typedef char *PSTR, *LPSTR;
typedef unsigned long long ULONGLONG, UINT64, DWORD64;
#ifdef _WIN64
typedef unsigned long long UINT_PTR, ULONG_PTR, DWORD_PTR;
#else
typedef unsigned int UINT_PTR;
typedef unsigned long ULONG_PTR, DWORD_PTR;
#endif

/* rpcndr.h, combaseapi.h */
#define small char
#define hyper __int64
#define cs_byte char
#define interface struct

/* winnt.h, wingdi.h, winuser.h: some of many */
#define DELETE (0x00010000L)
#define READ_CONTROL (0x00020000L)
#define ERROR 0
#define ABSOLUTE 1
#define RELATIVE 2
#define TRANSPARENT 1
#define OPAQUE 2
#define IGNORE 0
#define NO_ERROR 0L
#define INFINITE 0xFFFFFFFF
#define GetMessage GetMessageA
#define SendMessage SendMessageA
#define PostMessage PostMessageA
#define DrawText DrawTextA
#define LoadImage LoadImageA
#define WS_OVERLAPPED 0x00000000L
#define WS_POPUP 0x80000000L
#define WS_CHILD 0x40000000L
#define WS_VISIBLE 0x10000000L
#define WS_BORDER 0x00800000L
#define WS_GROUP 0x00020000L
#define WS_TABSTOP 0x00010000L

#define HANDLE_FLAG_INHERIT 0x00000001
#define FORMAT_MESSAGE_IGNORE_INSERTS 0x00000200
#define FORMAT_MESSAGE_FROM_SYSTEM 0x00001000
#define FORMAT_MESSAGE_MAX_WIDTH_MASK 0x000000FF

typedef DWORD (WINAPI *LPTHREAD_START_ROUTINE)(LPVOID);

#ifdef __cplusplus
extern "C" {
#endif
ULONGLONG WINAPI GetTickCount64(VOID);
VOID WINAPI Sleep(DWORD ms);
DWORD WINAPI GetLastError(VOID);
HANDLE WINAPI CreateThread(LPVOID security, ULONG_PTR stack, LPTHREAD_START_ROUTINE run, LPVOID user,
                           DWORD flags, DWORD *id);
BOOL WINAPI CloseHandle(HANDLE h);
BOOL WINAPI SetHandleInformation(HANDLE h, DWORD mask, DWORD flags);
DWORD WINAPI GetEnvironmentVariableA(LPCSTR name, LPSTR buf, DWORD size);
DWORD WINAPI FormatMessageA(DWORD flags, const VOID *source, DWORD id, DWORD language, LPSTR buf,
                            DWORD size, void *arguments);
LONG InterlockedIncrement(LONG volatile *value);
LONG InterlockedDecrement(LONG volatile *value);
LONG InterlockedExchange(LONG volatile *value, LONG to);
#ifdef __cplusplus
}
#endif
#define GetEnvironmentVariable GetEnvironmentVariableA
#define FormatMessage FormatMessageA

#endif
