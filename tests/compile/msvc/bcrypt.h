/* Stands for the Windows SDK; see windows.h. */
#ifndef __BCRYPT_H__
#define __BCRYPT_H__
#include <windows.h>

#define BCRYPT_USE_SYSTEM_PREFERRED_RNG 0x00000002
#ifdef __cplusplus
extern "C"
#endif
LONG WINAPI BCryptGenRandom(PVOID algorithm, PUCHAR buf, ULONG size, ULONG flags);

#endif
