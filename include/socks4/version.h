#ifndef SOCKS4_VERSION_H
#define SOCKS4_VERSION_H

/*
 * The version of this library, not of the protocol: as compiled against
 * (the macros) and as running (the function). Within one major version
 * what is declared in these headers keeps its meaning; while that is 0,
 * within one minor version.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_LIBRARY_MAJOR 0
#define SOCKS4_LIBRARY_MINOR 1
#define SOCKS4_LIBRARY_PATCH 0
#define SOCKS4_LIBRARY_VERSION "0.1.0"

/* As SOCKS4_LIBRARY_VERSION; static. */
const char *socks4_library_version(void);

#ifdef __cplusplus
}
#endif

#endif
