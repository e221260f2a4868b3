#ifndef GATEWAY_WORKER_NAMEPLATE_H
#define GATEWAY_WORKER_NAMEPLATE_H

/*
 * A listener's name, for as long as there is a session that came through
 * it: the listener may be renamed or gone by the time of the record.
 */
struct nameplate {
    unsigned refs;
    char text[];
};

/* With one reference; NULL: no memory. */
struct nameplate *nameplate_new(const char *text);
struct nameplate *nameplate_ref(struct nameplate *plate);
/* NULL is fine. */
void nameplate_unref(struct nameplate *plate);

#endif
