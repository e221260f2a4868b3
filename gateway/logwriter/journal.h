#ifndef GATEWAY_LOGWRITER_JOURNAL_H
#define GATEWAY_LOGWRITER_JOURNAL_H

#include <stddef.h>

#include "gateway/channel.h"

/*
 * A line of the log as an entry of systemd's journal: one datagram of its
 * native protocol, KEY=VALUE lines. No value has a newline, since no line has
 * one, so the form for octets is not needed.
 *
 *   MESSAGE=time=… event=session … userid="o\"neil" … ms.connect=3
 *   PRIORITY=6
 *   SYSLOG_FACILITY=3
 *   SYSLOG_IDENTIFIER=socks4d
 *   SOCKS4D_EVENT=session
 *   SOCKS4D_USERID=o\"neil
 *   SOCKS4D_MS_CONNECT=3
 *
 * A field a key, the same from text and from JSON: without quotes, but
 * escaped as in text, "-" where the value is not known. Every key has the
 * prefix, so no line can set a field of the journal's own.
 *
 * This is libsystemd's sd_journal_sendv() without its socket: that library
 * opens it by path and sends descriptors, neither of which a confined process
 * may do.
 */

/* A worker that was taken over can send a line as long as a batch: the fields
   that find no room behind it are left out. */
#define JOURNAL_ENTRY_MAX (CHANNEL_BATCH_MAX + 16384)

/* `len` octets without the newline, at most CHANNEL_BATCH_MAX. The length of
   the entry. */
size_t journal_format(const char *line, size_t len,
                      char entry[JOURNAL_ENTRY_MAX]);

#endif
