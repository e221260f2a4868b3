#ifndef GATEWAY_PASSWD_H
#define GATEWAY_PASSWD_H

/*
 * `socks4d passwd FILE USER': makes an entry of a users file (users_file.h), or
 * another hash for it, and with -D removes it. The file is replaced as a whole;
 * its other lines stay as they are.
 *
 * argv[0] is "passwd". Returns the exit status: 0 done, 1 not done, 2 usage.
 */
int passwd_main(int argc, char **argv);

#endif
