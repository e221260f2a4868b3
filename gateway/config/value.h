#ifndef GATEWAY_CONFIG_VALUE_H
#define GATEWAY_CONFIG_VALUE_H

#include "gateway/config/dump.h"
#include "gateway/config/parse.h"

/* The types of options that are one value, and of the list of DNS servers. */
extern const struct option_type type_bool;      /* bool */
extern const struct option_type type_choice;    /* an enum, by `choices` */
extern const struct option_type type_count;     /* uint64_t */
extern const struct option_type type_size;      /* uint64_t, octets */
extern const struct option_type type_duration;  /* uint64_t, milliseconds */
extern const struct option_type type_name;      /* char *; unique in its list */
extern const struct option_type type_endpoint;  /* struct endpoint */
extern const struct option_type type_user;      /* char *; NULL: auto */
extern const struct option_type type_source;    /* uint32_t; the bool at `also`
                                                   says auto */
extern const struct option_type type_advertise; /* uint32_t; the bool at `also`
                                                   says there is one */
extern const struct option_type type_ports;     /* two uint16_t */
extern const struct option_type type_servers;   /* resolver.servers */
extern const struct option_type type_target;    /* log.target and its path */
extern const struct option_type type_control;   /* control.socket, its path */
extern const struct option_type type_group;     /* char *; NULL: none */
extern const struct option_type type_endpoint_or_off; /* port 0: off */

/* For other types: 0, or -1 with the error noted. */

/* Which of option->choices; off, no and false are one, and so are on, yes and
   true. */
int value_parse_choice(struct parse *parse, const struct option *option,
                       const struct node *node, unsigned *chosen);

/* "80" or "8000-8100". */
int value_parse_ports(struct parse *parse, const struct option *option,
                      const struct node *node, uint16_t *first, uint16_t *last);
void value_dump_ports(const struct dump *dump, uint16_t first, uint16_t last);

#endif
