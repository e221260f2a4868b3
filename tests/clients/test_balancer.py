"""HAProxy and nginx in front of the gateway: PROXY headers of both versions,
and headers to servers that expect them. The balancer runs on the client's host,
which has further addresses for its clients."""
import ipaddress
import socket
import ssl
import struct
import subprocess

import pytest

import lab as places
from certificates import Authority
from evidence import records_of
from gateway import wait_for
from servers import Echo
from socks4 import ending, receive_exactly
from streams import MB, beside, pull, push, whole

BALANCER = places.CLIENT
PORT = 1090
ONE, TWO, SIX = "10.1.0.11", "10.1.0.12", "fd00:1::11"
RULES = "[{name: all, action: allow, from: [10.1.0.11, \"fd00:1::11\"]," \
        " to: [any]}]"

HAPROXY = """
defaults
    mode tcp
    retries 0
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen socks
    bind {balancer}:{port} {bind}
    bind [{balancer6}]:{port}
    server gateway {gateway}:1080 source {source} {options}
"""

NGINX = """
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
daemon off;
master_process off;
pid {folder}/nginx.pid;
events {{}}
stream {{
    server {{
        listen {balancer}:{port};
        listen [{balancer6}]:{port};
        proxy_bind {balancer};
        proxy_pass {gateway}:1080;
        proxy_protocol on;
        proxy_half_close on;
    }}
}}
"""


@pytest.fixture
def clients(lab):
    """The addresses of the balancer's clients."""
    lab.client.ip(f"address add {ONE}/24 dev wire\n"
                  f"address add {TWO}/24 dev wire\n"
                  f"address add {SIX}/64 dev wire nodad\n")


@pytest.fixture
def haproxy(lab, clients, tmp_path):
    def start(options, bind="", gateway=places.INSIDE, source=BALANCER):
        config = tmp_path / "haproxy.cfg"
        config.write_text(HAPROXY.format(
            balancer=BALANCER, balancer6=places.CLIENT6, port=PORT, bind=bind,
            gateway=gateway, source=source, options=options))
        log = open(tmp_path / "haproxy.log", "wb")
        lab.client.popen(["haproxy", "-db", "-f", config], stdout=log,
                         stderr=log, preexec_fn=places.die_with_parent)
        wait_for("HAProxy", lambda: lab.client.listens(PORT))
    return start


@pytest.fixture
def nginx(lab, clients, tmp_path):
    def start():
        config = tmp_path / "nginx.conf"
        config.write_text(NGINX.format(
            balancer=BALANCER, balancer6=places.CLIENT6, port=PORT,
            gateway=places.INSIDE, folder=tmp_path))
        lab.client.popen(
            ["/usr/sbin/nginx", "-e", "stderr", "-p", tmp_path, "-c", config],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=places.die_with_parent)
        wait_for("nginx", lambda: lab.client.listens(PORT))
    return start


@pytest.fixture
def start_behind(start_gateway):
    """A gateway whose listener has the balancer; `more` are its options."""
    def start(more="", tls="", **settings):
        plain = tls or "insecure_plaintext: true"
        settings.setdefault("rules", RULES)
        return start_gateway(
            listen=f'[{{address: "{places.INSIDE}:1080", name: inside,'
                   f' {plain}, proxy_protocol: ["{BALANCER}"]{more}}}]',
            **settings)
    return start


def through(gateway, source, **options):
    """A client's connection to the balancer."""
    at = places.CLIENT6 if ":" in source else BALANCER
    return gateway.client(at=(at, PORT), source=(source, 0), **options)


def shown(address):
    """An address and port as a record has them."""
    return ("[%s]:%d" if ":" in address[0] else "%s:%d") % address[:2]


BALANCERS = {
    "haproxy-v1": lambda haproxy, nginx: haproxy("send-proxy"),
    "haproxy-v2": lambda haproxy, nginx: haproxy("send-proxy-v2"),
    "haproxy-crc32c": lambda haproxy, nginx: haproxy(
        "send-proxy-v2 proxy-v2-options crc32c,unique-id,authority"),
    "nginx": lambda haproxy, nginx: nginx(),
}


@pytest.mark.parametrize("balancer", BALANCERS)
def test_the_client_is_the_balancers_client(
        lab, start_behind, haproxy, nginx, balancer):
    """[V4-3.2-1] [V4-3.1-7] Rules, records and octets, over IPv4 and IPv6."""
    gateway = start_behind()
    BALANCERS[balancer](haproxy, nginx)
    listener = lab.server.listen(places.SERVER)
    names = set()
    for source in ONE, SIX:
        client = through(gateway, source)
        names.add(shown(client.sock.getsockname()))
        client.ask(listener.getsockname(), b"fred", behind=b"early")
        server, _ = lab.server.accept(listener)
        assert client.reply().cd == 90
        assert receive_exactly(server, 5) == b"early"
        reading = beside(pull, server)
        push(client.sock, MB)
        client.shut()
        assert reading.result(places.TIMEOUT) == whole(MB)
        push(server, MB)
        server.close()
        assert pull(client.sock) == whole(MB)
        client.sock.close()
    other = through(gateway, TWO)
    other.ask(listener.getsockname())
    other.refusal()
    records = records_of(gateway, 3)
    assert {record["client"] for record in records[:2]} == names
    assert records[2]["client"].startswith(TWO + ":")
    assert records[2]["verdict"] == "denied-no-rule"
    for record in records:
        assert record["proxy"].startswith(BALANCER + ":")


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
def test_the_balancer_may_come_over_ipv6(lab, start_gateway, haproxy, version):
    """Whichever its client has come over."""
    gateway = start_gateway(
        listen=f'[{{address: "[{places.INSIDE6}]:1080", name: six,'
               ' insecure_plaintext: true,'
               f' proxy_protocol: ["{places.CLIENT6}"]}}]', rules=RULES)
    haproxy(version, gateway=f"[{places.INSIDE6}]", source=f"[{places.CLIENT6}]")
    listener = lab.server.listen(places.SERVER)
    names = []
    for source in ONE, SIX:
        client = through(gateway, source)
        names.append(shown(client.sock.getsockname()))
        client.ask(listener.getsockname())
        server, _ = lab.server.accept(listener)
        assert client.reply().cd == 90
        server.close()
        client.sock.close()
        wait_for("its record", lambda: gateway.records(client=names[-1]))
    assert all(record["proxy"].startswith(f"[{places.CLIENT6}]:")
               for record in records_of(gateway, 2))


@pytest.mark.parametrize("how", ["send-proxy check-send-proxy",
                                 "send-proxy-v2 check-send-proxy"])
def test_health_checks_leave_no_record(lab, start_behind, haproxy, tmp_path,
                                       how):
    """They have a header of the balancer's own (LOCAL, UNKNOWN), and are
    counted."""
    log = tmp_path / "gateway-0/log"
    gateway = start_behind(
        log=f'{{target: "file:{log}", format: json, quiet: ["{BALANCER}"]}}')
    haproxy(how + " check inter 50ms")
    wait_for("checks", lambda: gateway.counters()["quiet"] >= 3)
    listener = lab.server.listen(places.SERVER)
    client = through(gateway, ONE)
    client.ask(listener.getsockname())
    server, _ = lab.server.accept(listener)
    assert client.reply().cd == 90  # so HAProxy takes the gateway for alive
    server.close()
    client.sock.close()
    record, = records_of(gateway, 1)
    assert record["verdict"] == "granted"


def test_limits_count_the_true_clients(lab, start_behind, haproxy):
    """[V4-B.2-7] Over two workers: never the balancer."""
    gateway = start_behind(limits="{per_source: {sessions: 2}}",
                           rules="[{name: all, action: allow, from: [any],"
                                 " to: [any]}]")
    haproxy("send-proxy-v2")
    listener = lab.server.listen(places.SERVER)
    held = []
    for source in ONE, TWO, SIX:
        for _ in range(2):
            client = through(gateway, source)
            client.ask(listener.getsockname())
            held.append((client, lab.server.accept(listener)[0]))
            assert client.reply().cd == 90
    extra = through(gateway, ONE)
    extra.send(b"\4")
    assert ending(extra.sock)[1] == b""
    # HAProxy tries again where it sees the reset before it has connected
    wait_for("the limit", lambda: gateway.complaints(
        "limits.per_source.sessions") >= 1)
    assert {line["source"] for line in gateway.lines()
            if line["event"] == "limit"} == {ONE}
    for client, server in held:
        server.close()
        client.sock.close()
    records_of(gateway, 6)


def client_context(authority, name=None):
    context = ssl.create_default_context(cafile=authority.certificate)
    context.check_hostname = False
    if name:
        pair = authority.issue(name, names=None)
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_tls_lies_behind_the_header(lab, start_behind, haproxy, tmp_path):
    """[V4-C.5-2] The balancer passes it on as it is."""
    authority = Authority(tmp_path)
    pair = authority.issue("gw", names=f"IP:{places.INSIDE}")
    gateway = start_behind(
        tls=f'tls: {{certificate: "{pair.certificate}", key: "{pair.key}"}}')
    haproxy("send-proxy-v2 proxy-v2-options crc32c")
    echo = Echo(lab.server)
    raw = lab.client.connect((BALANCER, PORT), source=(ONE, 0))
    name = shown(raw.getsockname())
    with client_context(authority).wrap_socket(raw) as sock:
        sock.sendall(struct.pack("!BBH4sB", 4, 1, echo.address[1],
                                 socket.inet_aton(places.SERVER), 0) + b"ping")
        assert receive_exactly(sock, 12)[8:] == b"ping"
    record, = records_of(gateway, 1)
    assert (record["client"], record["tls"][:4]) == (name, "1.3/")


def test_the_balancers_word_on_certificates(lab, start_behind, haproxy,
                                            tmp_path):
    """HAProxy takes TLS off and verifies: its header has the common name."""
    authority = Authority(tmp_path)
    pair = authority.issue("gw", names=f"IP:{BALANCER}")
    pem = tmp_path / "both.pem"
    pem.write_text(pair.certificate.read_text() + pair.key.read_text())
    gateway = start_behind(
        more=", proxy_certificate: true",
        rules="[{name: fred, action: allow, from: [any], certificate: [fred],"
              " to: [any]}]")
    haproxy("send-proxy-v2-ssl-cn proxy-v2-options crc32c",
            bind=f"ssl crt {pem} ca-file {authority.certificate} verify optional")
    echo = Echo(lab.server)
    found = {}
    for name in "fred", "ann", None:
        raw = lab.client.connect((BALANCER, PORT), source=(ONE, 0))
        with client_context(authority, name).wrap_socket(raw) as sock:
            sock.sendall(struct.pack("!BBH4sB", 4, 1, echo.address[1],
                                     socket.inet_aton(places.SERVER), 0))
            found[name] = receive_exactly(sock, 8)[1]
    assert found == {"fred": 90, "ann": 91, None: 91}
    records = sorted(records_of(gateway, 3), key=lambda one: one["id"])
    assert [record["certificate"] for record in records] == \
        ["fred", "ann", None]
    assert all(record["tls"] is None for record in records)


# Headers to servers


def header_of(version, source, to):
    """What a server must be sent, made here."""
    if version == "v1":
        return ("PROXY TCP4 %s %s %d %d\r\n" % (source[0], to[0], source[1],
                                                to[1])).encode()
    return (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"
            + ipaddress.IPv4Address(source[0]).packed
            + ipaddress.IPv4Address(to[0]).packed
            + struct.pack("!HH", source[1], to[1]))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_server_learns_the_true_client(lab, start_behind, haproxy, version):
    """[V4-3.1-7] In front of everything, with a balancer between and
    without; the record does not count it."""
    gateway = start_behind(
        rules="[{name: all, action: allow, from: [any], to: [any],"
              f" send_proxy: {version}}}]")
    haproxy("send-proxy")
    listener = lab.server.listen(places.SERVER)
    to = listener.getsockname()
    direct = gateway.client(source=(TWO, 0))
    for client in through(gateway, ONE), direct:
        client.ask(to, behind=b"early")
        server, _ = lab.server.accept(listener)
        wanted = header_of(version, client.sock.getsockname(), to)
        assert receive_exactly(server, len(wanted) + 5) == wanted + b"early"
        assert client.reply().cd == 90
        server.close()
        client.sock.close()
    gateway.tell(up=10)
    records_of(gateway, 2)


def test_haproxy_as_the_server_accepts_the_header(lab, start_behind, call,
                                                  clients, tmp_path):
    """It says whom it takes for its client."""
    gateway = start_behind(
        rules="[{name: one, action: allow, from: [any], to: [10.2.0.2],"
              " send_proxy: v1}, {name: two, action: allow, from: [any],"
              " to: [10.2.0.3], send_proxy: v2}]")
    config = tmp_path / "server.cfg"
    config.write_text("""
defaults
    mode http
    timeout connect 10s
    timeout client 10s
    timeout server 10s
listen site
    bind 10.2.0.2:8080 accept-proxy
    bind 10.2.0.3:8080 accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[dst]:%[dst_port]"
""")
    lab.server.popen(["haproxy", "-db", "-f", config],
                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                     preexec_fn=places.die_with_parent)
    wait_for("HAProxy", lambda: lab.server.listens(8080))
    for server in places.SERVER, places.SERVER2:
        done = call("curl", "-q", "-sS", "--fail", "--interface", TWO,
                    "--socks4", f"{places.INSIDE}:1080",
                    f"http://{server}:8080/")
        assert (done.returncode, done.stderr) == (0, b"")
        assert done.stdout.decode() == f"{TWO} {server}:8080"
    records_of(gateway, 2)
