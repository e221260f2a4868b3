"""Other systems than the one it was built on: what an engine for containers
takes away, and what a small system does not have."""
import contextlib
import os
import re
import signal
import subprocess

import pytest

import lab as places
from gateway import BINARY, ROOT, Gateway, children, wait_for
from laws import laws
from socks4 import ending
from starts import copied, refused_start
from test_monitor import event, events, of_role, run_here
from upgrades import upgraded

# What a shell does in a mount namespace of its own before it runs the gateway.
TAKEN_AWAY = {
    "no /proc": "mount -t tmpfs none /proc",
    "no users": "mount --bind /dev/null /etc/passwd &&"
                " mount --bind /dev/null /etc/group",
    "no /etc": "mount -t tmpfs none /etc",
    "read-only": "mount --bind HERE HERE && mount -o remount,bind,ro /",
    "no /sys": "mount -t tmpfs none /sys",
    "no system bus": "mount -t tmpfs none /run",
}


def without(taken, *command):
    """A wrapper: the gateway runs where that is missing."""
    return ("unshare", "-m", "sh", "-c",
            f'{taken} && exec {" ".join(command)} "$@"', "sh")


def serves(gateway):
    client, server = gateway.open()
    client.send(b"there")
    assert server.recv(5) == b"there"
    client.shut()
    server.close()
    assert ending(client.sock) == ("fin", b"")


# What /proc says of a control group, and its quota: one processor and a half,
# 256 MiB.
GROUPS = {
    "version 2": {
        "proc/self/cgroup": "0::/gateway",
        "proc/self/mountinfo": "1 2 0:3 / AT/groups rw - cgroup2 none rw",
        "groups/gateway/cpu.max": "150000 100000",
        "groups/memory.max": "268435456",
    },
    "version 1": {
        "proc/self/cgroup": "2:cpuacct,cpu:/gateway\n1:memory:/pod/gateway",
        "proc/self/mountinfo":
            "1 2 0:3 / AT/groups/cpu rw - cgroup none rw,cpuacct,cpu\n"
            "4 2 0:5 /pod AT/groups/memory rw - cgroup none rw,memory",
        "groups/cpu/gateway/cpu.cfs_quota_us": "150000",
        "groups/cpu/gateway/cpu.cfs_period_us": "100000",
        "groups/memory/memory.limit_in_bytes": "268435456",
    },
}


@pytest.mark.parametrize("version", GROUPS)
def test_it_keeps_the_quotas_of_its_control_group(lab, tmp_path, version):
    for name, text in GROUPS[version].items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("AT", str(tmp_path)) + "\n")
    shown = lab.gateway.run(
        [*without(f"mount --bind {tmp_path}/proc /proc"), BINARY, "-T"],
        capture_output=True, text=True).stdout
    workers = min(2, len(os.sched_getaffinity(0)))
    assert re.search(rf"^workers: auto # {workers},", shown, re.M), shown
    assert re.search(r"memory: auto # 268435456 octets", shown), shown


@pytest.mark.parametrize("missing", TAKEN_AWAY)
def test_it_serves_where_this_is_missing(start_gateway, tmp_path, missing):
    """Before and after an upgrade, which finds its program there, too."""
    taken = TAKEN_AWAY[missing].replace("HERE", str(tmp_path))
    gateway = start_gateway(binary=copied(BINARY, tmp_path),
                            wrapper=without(taken))
    serves(gateway)
    upgraded(gateway)
    serves(gateway)


def test_without_proc_it_goes_without_a_control_socket(lab, start_gateway,
                                                       tmp_path):
    """What an operator has asked for is not left out in silence."""
    wrapper = without(TAKEN_AWAY["no /proc"])
    gateway = start_gateway(wrapper=wrapper, control="{socket: auto}")
    [line] = [line for line in gateway.lines()
              if line.get("event") == "control"]
    assert "needs /proc" in line["message"]
    for setting in ("control: {socket: /tmp/no-such-socket}",
                    "observe: {address: '127.0.0.1:9180'}"):
        config = tmp_path / "gw.yaml"
        config.write_text(f"listen: [{{address: 127.0.0.1:1081}}]\n{setting}\n"
                          "rules: [{action: deny, from: [any], to: [any]}]\n")
        assert "needs /proc" in refused_start(lab.gateway, *wrapper, BINARY,
                                              "-c", str(config))


def only_dev_null(folder, *kernel):
    """A wrapper: /dev has nothing but null, and the kernel is that one."""
    return without(
        f"mkdir {folder}/dev && touch {folder}/dev/null &&"
        f" mount --bind /dev/null {folder}/dev/null &&"
        f" mount --rbind {folder}/dev /dev",
        str(ROOT / "tests/support/without"), *kernel, "--")


def test_where_no_descriptor_can_be_executed_the_path_is(start_gateway,
                                                         tmp_path):
    """TOMOYO, which Debian's kernels have, looks for /dev/fd/N: without
    /dev/fd or /proc there is none."""
    gateway = start_gateway(binary=copied(BINARY, tmp_path),
                            wrapper=only_dev_null(tmp_path, "execveat=ENOENT"))
    serves(gateway)
    upgraded(gateway)
    serves(gateway)


def test_a_program_that_cannot_be_executed_again_says_so(lab, tmp_path):
    """It is not where it was, and its descriptor is of no use."""
    binary = copied(BINARY, tmp_path)
    with lab.gateway.network.inside():
        done = subprocess.run(
            [*only_dev_null(tmp_path, "execveat=ENOENT"), "sh", "-c",
             f"exec 9<{binary}; rm {binary};"
             " exec /proc/self/fd/9 -l 127.0.0.1:1080"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
    assert done.returncode == 1
    assert "cannot execute itself for a child: No such file" in done.stderr


def test_an_old_kernel_without_proc_leaves_no_descriptor_open(start_gateway):
    gateway = start_gateway(wrapper=without(
        "exec 9</ && " + TAKEN_AWAY["no /proc"],
        str(ROOT / "tests/support/without"), "close_range=ENOSYS", "--"))
    serves(gateway)
    for worker in gateway.workers():
        assert "/" not in worker.links()


@pytest.mark.parametrize("call", ["clone", "pipe2"])
def test_processes_that_cannot_be_made_are_said_at_the_start(lab, call):
    """A limit of processes, of a user or a control group, or a filter: without
    a log writer nobody would hear of it."""
    said = refused_start(lab.gateway, str(ROOT / "tests/support/without"),
                         f"{call}=EAGAIN", "--", BINARY, "-l",
                         "127.0.0.1:1080")
    assert "cannot start a process (" in said
    assert re.search(r"the gateway has \d+ processes: raise the limit", said)


def test_where_nobody_says_how_much_memory_there_is_it_serves(start_gateway):
    serves(start_gateway(wrapper=(str(ROOT / "tests/support/without"),
                                  "sysinfo=ENOSYS", "--")))


def test_without_dev_null_it_says_so(lab):
    """Standard descriptors that are closed could not be filled."""
    with lab.gateway.network.inside():
        done = subprocess.run(
            [*without("mount -t tmpfs none /dev"), BINARY, "-l", "127.0.0.1:1080"],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
    assert done.returncode == 1
    assert "/dev/null" in done.stderr


def test_root_without_capabilities_serves_and_says_so(start_gateway):
    """As `--cap-drop=ALL` leaves it: it cannot become another user."""
    gateway = start_gateway(wrapper=(
        "setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"))
    serves(gateway)
    line = event(gateway, "user")
    assert line["level"] == "warning"
    assert "CAP_SETUID" in line["message"]


@pytest.mark.parametrize("also", [None, "no /proc"])
def test_where_only_root_exists_it_stays_root_and_says_so(start_gateway, also):
    """A user namespace as an ordinary user makes it. Without /proc only an
    attempt tells."""
    taken = TAKEN_AWAY[also] if also else "true"
    gateway = start_gateway(wrapper=("unshare", "--user", "--map-root-user",
                                     *without(taken)))
    serves(gateway)
    line = event(gateway, "user")
    assert line["level"] == "warning"
    assert "only root exists in this user namespace" in line["message"]


def test_where_only_root_exists_it_cannot_become_a_named_user(lab, tmp_path):
    config = tmp_path / "gw.yaml"
    config.write_text("user: '4242'\n")
    with lab.gateway.network.inside():
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", BINARY, "-c", str(config)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
    assert done.returncode == 1
    assert '"4242" does not exist in this user namespace' in done.stderr
    assert "user: auto" in done.stderr


def test_root_without_a_user_for_it_serves_and_says_so(
        real_root, start_gateway, tmp_path):
    """Whom other programs run as, too: they could kill its workers."""
    gateway = start_gateway(wrapper=without(
        f"grep -v ^socks4d: /etc/passwd > {tmp_path}/passwd &&"
        f" mount --bind {tmp_path}/passwd /etc/passwd"))
    line = event(gateway, "user")
    assert line["level"] == "warning"
    assert "useradd --system" in line["message"]


def test_root_with_a_user_for_it_says_nothing(real_root, start_gateway,
                                              tmp_path):
    gateway = start_gateway(wrapper=without(
        f"sed '$a socks4d:x:4243:4243::/:/bin/false' /etc/passwd >"
        f" {tmp_path}/passwd && mount --bind {tmp_path}/passwd /etc/passwd"))
    [worker, *_] = of_role(gateway, "worker")
    assert os.stat(f"/proc/{worker}").st_uid == 4243
    assert events(gateway, "user") == []


def test_root_without_capabilities_cannot_become_a_named_user(lab, tmp_path):
    config = tmp_path / "gw.yaml"
    config.write_text("user: '4242'\n")
    with lab.gateway.network.inside():
        done = subprocess.run(
            ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--",
             BINARY, "-c", str(config)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
    assert done.returncode == 1
    assert 'cannot become user "4242"' in done.stderr
    assert "start socks4d as that user" in done.stderr


def test_a_user_may_be_a_number_that_no_file_knows(real_root, start_gateway):
    gateway = start_gateway(user="4242")
    serves(gateway)
    [worker, *_] = of_role(gateway, "worker")
    status = os.stat(f"/proc/{worker}")
    assert (status.st_uid, status.st_gid) == (4242, 4242)


def test_an_ordinary_user_that_no_file_knows_starts_it(real_root, lab,
                                                       open_folder):
    gateway = Gateway(lab, open_folder, binary=copied(BINARY, open_folder))
    os.chown(open_folder, 12345, 12345)
    gateway.start(wrapper=without(TAKEN_AWAY["no users"], "setpriv",
                                  "--reuid=12345", "--regid=12345",
                                  "--clear-groups", "--"))
    serves(gateway)
    laws(gateway)


def test_it_is_the_first_process_of_its_namespace(lab):
    """Where nobody else waits for orphans, and TERM has no default action."""
    with lab.gateway.network.inside(), subprocess.Popen(
            ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc",
             BINARY, "-l", "127.0.0.1:1080"], stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True) as outer:
        for line in outer.stderr:
            if "event=ready" in line:
                break
        [monitor] = children(outer.pid)
        os.kill(monitor, signal.SIGTERM)
        assert "event=ended" in outer.stderr.read()
        assert outer.wait(20) == 0


def test_it_ends_with_the_terminal_that_it_was_started_in(lab):
    """No gateway is left behind that holds the port and that nobody sees."""
    with lab.gateway.network.inside():
        outer, inner = os.openpty()
        done = subprocess.Popen(
            ["setsid", "--ctty", BINARY, "-l", "127.0.0.1:1080"],
            stdin=inner, stdout=inner, stderr=inner)
    os.close(inner)
    said = b""
    while b"event=ready" not in said:
        said += os.read(outer, 4096)
    os.close(outer)
    assert done.wait(20) == 0


def test_a_configuration_by_links_is_followed_when_they_are_swapped(
        start_gateway, tmp_path):
    """As Kubernetes mounts it: file -> ..data/file, ..data -> a folder."""
    first, second = tmp_path / "..1", tmp_path / "..2"
    gateway = start_gateway()
    for folder, rule in ((first, "old"), (second, "new")):
        folder.mkdir()
        (folder / "gw.yaml").write_text(
            gateway.config_path.read_text().replace("name: all",
                                                    f"name: {rule}"))
    data = tmp_path / "..data"
    data.symlink_to(first)
    gateway.config_path.unlink()
    gateway.config_path.symlink_to(data / "gw.yaml")
    for rule in ("old", "new"):
        before = len(events(gateway, "reloaded"))
        if rule == "new":
            swapped = tmp_path / "..swap"
            swapped.symlink_to(second)
            os.replace(swapped, data)
        gateway.signal(signal.SIGHUP)
        wait_for("the reload", lambda: len(events(gateway,
                                                  "reloaded")) > before)
        client, server = gateway.open(userid=rule.encode())
        client.sock.close()
        server.close()
        assert gateway.record(userid=rule)["rule"] == rule


@pytest.mark.parametrize("address, host", [("10.1.0.77", "10.1.0.77/32"),
                                           ("[fd00:1::77]", "fd00:1::77/128")])
def test_it_starts_before_its_address_is_there(start_gateway, lab, address,
                                               host):
    """`freebind: true`: the address comes, goes and comes again."""
    gateway = start_gateway(listen=(
        f"[{{address: '{places.INSIDE}:1080', insecure_plaintext: true}},"
        f" {{address: '{address}:1081', insecure_plaintext: true,"
        " freebind: true}]"))
    at = (address.strip("[]"), 1081)
    for _ in range(2):
        lab.gateway.ip(f"address add {host} dev inside"
                       + (" nodad\n" if ":" in host else "\n"))
        client, server = gateway.open(at=at)
        client.shut()
        server.close()
        assert ending(client.sock) == ("fin", b"")
        lab.gateway.ip(f"address del {host} dev inside\n")


def test_an_address_that_is_not_there_names_freebind(lab, tmp_path):
    config = tmp_path / "gw.yaml"
    config.write_text("listen: [{address: '10.1.0.77:1080',"
                      " insecure_plaintext: true}]\n")
    status, said = run_here(lab.gateway, "-c", str(config))
    assert status == 1
    assert "10.1.0.77:1080" in said and "freebind: true" in said


def test_a_listener_on_ipv6_where_there_is_none_says_so(lab):
    with lab.gateway.network.inside(), contextlib.ExitStack() as stack:
        path = "/proc/sys/net/ipv6/conf/lo/disable_ipv6"
        with open(path) as file:
            before = file.read()
        stack.callback(lambda: open(path, "w").write(before))
        with open(path, "w") as file:
            file.write("1")
        status, said = run_here(lab.gateway, "-l", "[::1]:1080")
    assert status == 1
    assert "[::1]:1080" in said and "not an address of this machine" in said


def test_when_the_network_changes_old_sessions_end_and_new_ones_go_on(
        start_gateway, lab):
    """Another address towards the servers, as a laptop gets."""
    gateway = start_gateway(keepalive="{idle: 1s, interval: 1s, count: 1}")
    old, server = gateway.open(userid=b"old")
    lab.gateway.ip(f"address del {places.OUTSIDE}/24 dev outside\n"
                   "address add 10.2.0.9/24 dev outside\n")
    serves(gateway)
    assert ending(old.sock) == ("reset", b"")
    record = gateway.record(userid="old")
    assert (record["ended_by"], record["end"]) == ("server", "reset")
    server.close()
