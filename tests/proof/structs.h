/*
 * The proofs cannot follow memset. It is used only for whole structs, and with
 * zeros; each proof says what that makes of the fields.
 */
#ifndef PROOF_STRUCTS_H
#define PROOF_STRUCTS_H

#define memset(at, octet, size)                                                \
    ((void)sizeof(int[(octet) == 0 && (size) == sizeof(*(at)) ? 1 : -1]),      \
     proof_clear_##at(at))

#endif
