#ifndef GATEWAY_OBSERVER_MAIN_H
#define GATEWAY_OBSERVER_MAIN_H

/*
 * The observer process: it shows operators what the gateway does, and takes
 * their requests: on the control socket (control.h), and over HTTP on
 * observe.address. It reads figures in the shared segment, asks workers for
 * their sessions over links, and has the monitor do what changes the gateway.
 * argv: role.h, the user who started the gateway, how many sessions there may
 * be, and how long the text of the configuration is.
 */
int observer_main(int argc, char **argv);

#endif
