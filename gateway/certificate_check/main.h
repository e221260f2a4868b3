#ifndef GATEWAY_CERTIFICATE_CHECK_MAIN_H
#define GATEWAY_CERTIFICATE_CHECK_MAIN_H

/*
 * The certificate check: a short-lived process that parses the files of TLS
 * listeners, private keys included, before anything else does, and reports what
 * is wrong with them (certificate_report.h). It is confined like the signer.
 *
 * argv: as every role's, then for each key that it is given the number of its
 * listener. Returns the exit status.
 */
int certificate_check_main(int argc, char **argv);

#endif
