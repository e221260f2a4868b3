#ifndef SOCKS4_VERSION_H
#define SOCKS4_VERSION_H

/*
 * The version of this library, not of the protocol: the macros are the one
 * compiled against, the function returns the one that runs. The interface
 * of these headers keeps its meaning within one major version; while that
 * is 0, within one minor version.
 */

#ifdef __cplusplus
extern "C" {
#endif

#define SOCKS4_LIBRARY_MAJOR 0
#define SOCKS4_LIBRARY_MINOR 1
#define SOCKS4_LIBRARY_PATCH 0
#define SOCKS4_LIBRARY_VERSION "0.1.0"

/* Returns the version as SOCKS4_LIBRARY_VERSION has it; static. */
const char *socks4_library_version(void);

#ifdef __cplusplus
}
#endif

#endif
