#include "tools/socks4/program.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/text.h"

enum { PROGRAM_SCRIPTS_MAX = 4 }; /* as many as the kernel follows */

/* A file that is looked at, as mapped memory. */
struct program_image {
    const uint8_t *octets;
    size_t size;
};

static void __attribute__((format(printf, 2, 3)))
program_refuse(struct program_fault *fault, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(fault->reason, sizeof(fault->reason), format, args);
    va_end(args);
}

/* --- The file --- */

/* Tries one folder of PATH; an empty one is the current. */
static bool
program_is_in(const char *folder, size_t len, const char *name,
              char path[static PATH_MAX])
{
    struct stat file;
    int size = snprintf(path, PATH_MAX, "%.*s%s%s", (int)len, folder,
                        len > 0 ? "/" : "", name);

    return size < PATH_MAX && stat(path, &file) == 0 && S_ISREG(file.st_mode) &&
           access(path, X_OK) == 0;
}

static int
program_find(const char *name, char path[static PATH_MAX])
{
    const char *folders = getenv("PATH");

    if (strchr(name, '/') != NULL)
        return program_is_in("", 0, name, path) ? 0 : -ENOENT;
    if (folders == NULL)
        folders = "/bin:/usr/bin"; /* as confstr(3) has it */
    for (;;) {
        size_t len = strcspn(folders, ":");

        if (program_is_in(folders, len, name, path))
            return 0;
        if (folders[len] == '\0')
            return -ENOENT;
        folders += len + 1;
    }
}

static bool
program_map(const char *path, struct program_image *image)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat file;
    void *map = MAP_FAILED;

    if (fd < 0)
        return false;
    if (fstat(fd, &file) == 0 && file.st_size > 0)
        map = mmap(NULL, (size_t)file.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    close(fd);
    if (map == MAP_FAILED)
        return false;
    *image = (struct program_image){map, (size_t)file.st_size};
    return true;
}

/* `count` octets at that place; NULL: the file is shorter. */
static const void *
program_at(const struct program_image *image, uint64_t at, uint64_t count)
{
    if (at > image->size || count > image->size - at)
        return NULL;
    return image->octets + at;
}

/* --- Privileges --- */

/* The dynamic loader ignores LD_PRELOAD where the kernel raised privileges. */
static void
program_check_privileges(struct program_fault *fault)
{
    struct statvfs mount;
    struct stat file;

    if (stat(fault->path, &file) != 0 ||
        prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 ||
        (statvfs(fault->path, &mount) == 0 && mount.f_flag & ST_NOSUID))
        return;
    if (file.st_mode & S_ISUID && file.st_uid != getuid())
        program_refuse(fault, "it is set-user-ID");
    else if (file.st_mode & S_ISGID && file.st_mode & S_IXGRP &&
             file.st_gid != getgid())
        program_refuse(fault, "it is set-group-ID");
    else if (getuid() != 0 &&
             getxattr(fault->path, "security.capability", NULL, 0) > 0)
        program_refuse(fault, "it has file capabilities");
}

/* --- ELF --- */

static const ElfW(Phdr) *
    program_segments(const struct program_image *image, size_t *count)
{
    const ElfW(Ehdr) *header = program_at(image, 0, sizeof(*header));

    *count = 0;
    if (header == NULL || header->e_phentsize != sizeof(ElfW(Phdr)) ||
        header->e_phoff % _Alignof(ElfW(Phdr)) != 0)
        return NULL;
    *count = header->e_phnum;
    return program_at(image, header->e_phoff,
                      (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)));
}

/* The dynamic loader that the file names; NULL: none, it is static. */
static const char *
program_loader(const struct program_image *image)
{
    size_t count;
    const ElfW(Phdr) *segments = program_segments(image, &count);

    for (size_t i = 0; segments != NULL && i < count; i++) {
        const char *path;

        if (segments[i].p_type != PT_INTERP)
            continue;
        path = program_at(image, segments[i].p_offset, segments[i].p_filesz);
        return path != NULL && memchr(path, 0, segments[i].p_filesz) != NULL
                   ? path
                   : NULL;
    }
    return NULL;
}

/* Whether one of the segment's notes is of Go's linker. */
static bool
program_is_go_note(const struct program_image *image,
                   const ElfW(Phdr) * segment)
{
    uint64_t at = segment->p_offset, end = at + segment->p_filesz;
    ElfW(Nhdr) note;

    if (segment->p_type != PT_NOTE || end < at)
        return false;
    while (at < end && end - at >= sizeof(note) + 4) {
        const char *octets = program_at(image, at, sizeof(note) + 4);

        if (octets == NULL)
            return false;
        memcpy(&note, octets, sizeof(note));
        if (note.n_namesz == 4 && memcmp(octets + sizeof(note), "Go\0", 4) == 0)
            return true;
        at += sizeof(note) + (note.n_namesz + 3ull) / 4 * 4 +
              (note.n_descsz + 3ull) / 4 * 4;
    }
    return false;
}

/* Whether the segment's first 64 KiB hold what Go's linker writes there. */
static bool
program_is_go_data(const struct program_image *image,
                   const ElfW(Phdr) * segment)
{
    size_t size = segment->p_filesz < 65536 ? segment->p_filesz : 65536;
    const void *data = program_at(image, segment->p_offset, size);

    return segment->p_type == PT_LOAD && segment->p_flags & PF_W &&
           data != NULL && memmem(data, size, "\xff Go buildinf:", 14) != NULL;
}

static bool
program_is_go(const struct program_image *image)
{
    size_t count;
    const ElfW(Phdr) *segments = program_segments(image, &count);

    for (size_t i = 0; segments != NULL && i < count; i++)
        if (program_is_go_note(image, &segments[i]) ||
            program_is_go_data(image, &segments[i]))
            return true;
    return false;
}

static bool
program_is_of_our_kind(const struct program_image *image,
                       const struct program_image *own)
{
    const ElfW(Ehdr) *header = program_at(image, 0, sizeof(*header));
    const ElfW(Ehdr) *ours = program_at(own, 0, sizeof(*ours));

    return header != NULL && ours != NULL &&
           header->e_ident[EI_CLASS] == ours->e_ident[EI_CLASS] &&
           header->e_ident[EI_DATA] == ours->e_ident[EI_DATA] &&
           header->e_machine == ours->e_machine;
}

static const char *
program_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? slash + 1 : path;
}

/* Another loader is another C library. Its name is shown, and may be
   anything. */
static void
program_check_loader(const char *loader, const char *ours,
                     struct program_fault *fault)
{
    char text[120];

    if (ours == NULL || strcmp(program_base(loader), program_base(ours)) == 0)
        return;
    program_refuse(fault, "it has another C library: its loader is %s",
                   text_show(loader, strlen(loader), text, sizeof(text)));
}

static void
program_check_elf(const struct program_image *image,
                  struct program_fault *fault)
{
    struct program_image own;
    const char *loader = program_loader(image), *ours;

    if (!program_map("/proc/self/exe", &own)) {
        program_refuse(fault, "/proc/self/exe, to compare it with, cannot be "
                              "read");
        return;
    }
    ours = program_loader(&own);
    if (!program_is_of_our_kind(image, &own))
        program_refuse(fault, "it is built for another architecture");
    else if (program_is_go(image))
        program_refuse(fault, "it is a Go program, which makes system calls "
                              "itself");
    else if (loader == NULL)
        program_refuse(fault, "it is linked statically");
    else
        program_check_loader(loader, ours, fault);
    munmap((void *)own.octets, own.size);
}

/* --- Scripts --- */

/* The interpreter of a script's first line: "#!/usr/bin/env python3". What
   env(1) will run is looked up as it does that. False: it is not a script. */
static bool
program_interpreter(const struct program_image *image,
                    char next[static PATH_MAX])
{
    char line[PATH_MAX], *word, *rest = line;
    size_t size = image->size < sizeof(line) ? image->size : sizeof(line) - 1;

    if (size < 2 || memcmp(image->octets, "#!", 2) != 0)
        return false;
    memcpy(line, image->octets + 2, size - 2);
    line[size - 2] = '\0';
    line[strcspn(line, "\n")] = '\0';
    word = strtok_r(rest, " \t", &rest);
    if (word != NULL && strcmp(program_base(word), "env") == 0) {
        char *name = strtok_r(NULL, " \t", &rest);

        while (name != NULL && (name[0] == '-' || strchr(name, '=') != NULL))
            name = strtok_r(NULL, " \t", &rest);
        if (name != NULL)
            return program_find(name, next) == 0;
    }
    snprintf(next, PATH_MAX, "%s", word != NULL ? word : "");
    return true;
}

/* One file. True: `next` is the interpreter that is to be checked. */
static bool
program_check_file(struct program_fault *fault, char next[static PATH_MAX])
{
    struct program_image image;
    bool again = false;

    if (!program_map(fault->path, &image)) {
        program_refuse(fault, "it cannot be read and checked");
        return false;
    }
    if (image.size >= SELFMAG && memcmp(image.octets, ELFMAG, SELFMAG) == 0) {
        program_check_privileges(fault);
        if (fault->reason[0] == '\0')
            program_check_elf(&image, fault);
    } else if (program_interpreter(&image, next)) {
        again = true;
    } else {
        snprintf(next, PATH_MAX, "/bin/sh"); /* as execvp does */
        again = true;
    }
    munmap((void *)image.octets, image.size);
    return again;
}

int
program_check(const char *name, struct program_fault *fault)
{
    char next[PATH_MAX];
    int error = program_find(name, fault->path);

    fault->reason[0] = '\0';
    for (int i = 0; error == 0 && program_check_file(fault, next); i++) {
        if (i == PROGRAM_SCRIPTS_MAX) {
            program_refuse(fault, "it is a script of too many scripts");
            break;
        }
        memcpy(fault->path, next, sizeof(fault->path));
    }
    return error;
}
