#include "tests/unit/confine/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define CALL(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

/* An attempt that is one expression. */
#define ATTEMPT(name, expression)                                              \
    static int name(void)                                                      \
    {                                                                          \
        return (expression) < 0 ? errno : 0;                                   \
    }

/* clang-format off */

/* files, programs, processes */
ATTEMPT(open_to_write, CALL(openat, AT_FDCWD, "/tmp/x", O_WRONLY))
ATTEMPT(open_to_make, CALL(openat, AT_FDCWD, "/tmp/x", O_RDONLY | O_CREAT, 0600))
ATTEMPT(open_to_cut, CALL(openat, AT_FDCWD, "/etc/passwd", O_RDONLY | O_TRUNC))
ATTEMPT(open_the_new_way, CALL(openat2, AT_FDCWD, "/etc/passwd", NULL, 0))
ATTEMPT(unlink_file, CALL(unlinkat, AT_FDCWD, "/tmp/x", 0))
ATTEMPT(make_folder, CALL(mkdirat, AT_FDCWD, "/tmp/x", 0700))
ATTEMPT(mount_folder, CALL(mount, "none", "/tmp", "tmpfs", 0, NULL))
ATTEMPT(change_root, CALL(chroot, "/"))
ATTEMPT(execute, CALL(execve, "/bin/true", NULL, NULL))
ATTEMPT(execute_at, CALL(execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0))
ATTEMPT(clone_old, CALL(clone, SIGCHLD, NULL, NULL, NULL, 0))
ATTEMPT(clone_new, CALL(clone3, NULL, 0))
ATTEMPT(trace, CALL(ptrace, PTRACE_TRACEME, 0, NULL, NULL))
ATTEMPT(read_another, CALL(process_vm_readv, attempt_parent, NULL, 0, NULL, 0, 0))
ATTEMPT(open_another, CALL(pidfd_open, attempt_parent, 0))
ATTEMPT(signal_another, CALL(kill, attempt_parent, 0))
ATTEMPT(abort_another, CALL(tgkill, attempt_parent, attempt_parent, SIGABRT))
ATTEMPT(stop_ourselves, CALL(tgkill, getpid(), gettid(), SIGSTOP))
ATTEMPT(become_another, CALL(setresuid, 0, 0, 0))
ATTEMPT(control, CALL(prctl, PR_SET_DUMPABLE, 1, 0, 0, 0))
ATTEMPT(leave_namespace, CALL(unshare, CLONE_NEWUSER))
ATTEMPT(send_descriptor, CALL(sendmsg, 0, NULL, 0))
ATTEMPT(send_descriptors, CALL(sendmmsg, 0, NULL, 0, 0))

/* ways into the kernel that it has no use for */
ATTEMPT(ring, CALL(io_uring_setup, 1, NULL))
ATTEMPT(program_kernel, CALL(bpf, 0, NULL, 0))
ATTEMPT(measure, CALL(perf_event_open, NULL, 0, -1, -1, 0))
ATTEMPT(hold_faults, CALL(userfaultfd, 0))
ATTEMPT(keep_keys, CALL(keyctl, 0, 0, 0, 0, 0))
ATTEMPT(make_memory_file, CALL(memfd_create, "x", 0))
ATTEMPT(filter_again, CALL(seccomp, 1, 0, NULL))
ATTEMPT(futex_wake, CALL(futex, NULL, 1, 1, NULL, NULL, 0))

/* memory that is code */
ATTEMPT(map_code, CALL(mmap, NULL, 4096, PROT_READ | PROT_EXEC,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
ATTEMPT(make_code, CALL(mprotect, (uintptr_t)make_code & ~(uintptr_t)4095,
                        4096, PROT_READ | PROT_EXEC))

/* sockets */
ATTEMPT(socket_unix, CALL(socket, AF_UNIX, SOCK_STREAM, 0))
ATTEMPT(socket_netlink, CALL(socket, AF_NETLINK, SOCK_RAW, 0))
ATTEMPT(socket_packet, CALL(socket, AF_PACKET, SOCK_DGRAM, 0))
ATTEMPT(socket_vsock, CALL(socket, AF_VSOCK, SOCK_STREAM, 0))
ATTEMPT(socket_raw, CALL(socket, AF_INET, SOCK_RAW, IPPROTO_ICMP))
ATTEMPT(socket_raw6, CALL(socket, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6))
ATTEMPT(socket_pair, CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, NULL))

/* a connect that landlock would not see */
ATTEMPT(connect_by_sending, CALL(sendto, 0, "x", 1, MSG_FASTOPEN, NULL, 0))
ATTEMPT(connect_by_sending_more, CALL(sendto, 0, "x", 1,
                                      MSG_FASTOPEN | MSG_NOSIGNAL, NULL, 0))

static int one = 1;
ATTEMPT(option_device, CALL(setsockopt, 0, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3))
ATTEMPT(option_mark, CALL(setsockopt, 0, SOL_SOCKET, SO_MARK, &one, sizeof(one)))
ATTEMPT(option_ulp, CALL(setsockopt, 0, IPPROTO_TCP, TCP_ULP, "tls", 4))
ATTEMPT(option_transparent, CALL(setsockopt, 0, IPPROTO_IP, IP_TRANSPARENT,
                                 &one, sizeof(one)))
/* SO_KEEPALIVE's number, of another level */
ATTEMPT(option_of_ip, CALL(setsockopt, 0, IPPROTO_IP, SO_KEEPALIVE,
                           &one, sizeof(one)))
ATTEMPT(option_read, CALL(getsockopt, 0, SOL_SOCKET, SO_PEERSEC, NULL, NULL))

/* descriptors */
ATTEMPT(type_ahead, CALL(ioctl, 0, TIOCSTI, "x"))
ATTEMPT(own_terminal, CALL(ioctl, 0, TIOCSCTTY, 0))
ATTEMPT(be_signalled, CALL(fcntl, 0, F_SETOWN, attempt_parent))
ATTEMPT(lease, CALL(fcntl, 0, F_SETLEASE, F_WRLCK))
ATTEMPT(duplicate, CALL(dup, 0))

#ifdef __x86_64__
/* Calls that newer machines never had. */
ATTEMPT(open_the_old_way, CALL(open, "/etc/passwd", O_RDONLY))
ATTEMPT(fork_old, CALL(fork))

/* The same kernel by its other entries: x32, and the calls of i386. */
ATTEMPT(x32_number, syscall(0x40000000 | SYS_getpid))

static int
i386_call(void)
{
    long result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory");
    return result < 0 ? (int)-result : 0;
}
#endif

#define ROW(name) {#name, name}
const struct forbidden forbidden_to_all[] = {
    ROW(open_to_write), ROW(open_to_make), ROW(open_to_cut),
    ROW(open_the_new_way), ROW(unlink_file),
    ROW(make_folder), ROW(mount_folder), ROW(change_root), ROW(execute),
    ROW(execute_at), ROW(clone_old), ROW(clone_new),
    ROW(trace), ROW(read_another), ROW(open_another), ROW(signal_another),
    ROW(abort_another), ROW(stop_ourselves), ROW(become_another),
    ROW(control), ROW(leave_namespace),
    ROW(send_descriptor), ROW(send_descriptors),
    ROW(ring), ROW(program_kernel), ROW(measure), ROW(hold_faults),
    ROW(keep_keys), ROW(make_memory_file), ROW(filter_again),
    ROW(futex_wake), ROW(map_code), ROW(make_code),
    ROW(socket_unix), ROW(socket_netlink), ROW(socket_packet),
    ROW(socket_vsock), ROW(socket_raw), ROW(socket_raw6), ROW(socket_pair),
    ROW(connect_by_sending), ROW(connect_by_sending_more),
    ROW(option_device), ROW(option_mark), ROW(option_ulp),
    ROW(option_transparent), ROW(option_of_ip), ROW(option_read),
    ROW(type_ahead), ROW(own_terminal), ROW(be_signalled), ROW(lease),
    ROW(duplicate),
#ifdef __x86_64__
    ROW(open_the_old_way), ROW(fork_old), ROW(x32_number), ROW(i386_call),
#endif
};
/* clang-format on */

const size_t forbidden_to_all_count = COUNT(forbidden_to_all);
