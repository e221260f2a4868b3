"""Certificates and keys, checked by -t, at the start and by HUP: what is wrong
is named with the line of the configuration, and why."""
import datetime
import os
import re
import subprocess

import pytest

import tls_client as tls
from certificates import Authority, Pair, openssl
from gateway import BINARY
from reloads import reloaded
from starts import refused_start
from test_reload import more_descriptors


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"))


def days_from_now(days):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(
        days=days)
    return at.strftime("%Y%m%d%H%M%SZ")


def check(folder, pair=None, more="", strict=False):
    """Exit status of -t on a configuration with one TLS listener, and what it
    says."""
    if pair:
        pair.place(folder)
    file = folder / "gw.yaml"
    file.write_text(
        "listen:\n"
        "  - address: 127.0.0.1:1443\n"
        "    tls:\n"
        "      certificate: gw.pem\n"
        "      key: gw.key\n"
        f"{more}"
        "rules: [{action: allow, from: [private], to: [any]}]\n")
    done = subprocess.run(
        [BINARY, "-t", *(["--strict"] if strict else []), "-c", file],
        capture_output=True, text=True, timeout=60)
    return done.returncode, done.stderr


def assert_says(said, line, column, option, file, why):
    status, text = said
    place = rf"gw.yaml:{line}:{column}: tls.{option}: \S*{re.escape(file)}: "
    assert re.search(place + why, text), text
    return status


def assert_refuses(said, line, column, option, file, why):
    assert assert_says(said, line, column, option, file, why) == 1


CERTIFICATE = (4, 20, "certificate", "gw.pem")
KEY = (5, 12, "key", "gw.key")


def test_a_good_pair_is_not_mentioned(tmp_path, authority):
    assert check(tmp_path, authority.issue("good"), strict=True) == (0, "")


def test_a_chain_is_taken(tmp_path, authority):
    pair = authority.issue("chained")
    chain = tmp_path / "chain.pem"
    chain.write_text(pair.certificate.read_text()
                     + authority.certificate.read_text())
    assert check(tmp_path, Pair(chain, pair.key), strict=True) == (0, "")
    chain.write_text(pair.certificate.read_text()
                     + authority.issue("unrelated").certificate.read_text())
    said = check(tmp_path, Pair(chain, pair.key))
    assert assert_says(said, *CERTIFICATE, "warning: certificate 2 of the "
                       "chain is not the one that has signed") == 0


@pytest.mark.parametrize("kind, status, why", [
    ("RSA-1024", 1, "it has an RSA key of 1024 bits, which is weak; use P-256"),
    ("RSA-4096", 0, "warning: an RSA key of 4096 bits makes each handshake"),
])
def test_weak_and_slow_keys(tmp_path, authority, kind, status, why):
    said = check(tmp_path, authority.issue(kind.lower(), kind))
    assert assert_says(said, *CERTIFICATE, why) == status


def test_a_key_that_is_too_long_to_be_served(tmp_path, authority):
    """Its signatures are. Nobody needs the primes of this modulus."""
    bits = 8200
    modulus = (1 << bits - 1 | 12345).to_bytes(bits // 8 + 1, "big")
    conf, der, public, made = (tmp_path / name for name in (
        "conf", "der", "public.pem", "long.pem"))
    conf.write_text(f"asn1=SEQUENCE:key\n[key]\nn=INTEGER:0x{modulus.hex()}\n"
                    "e=INTEGER:65537\n")
    openssl("asn1parse", "-genconf", conf, "-out", der, "-noout")
    openssl("rsa", "-RSAPublicKey_in", "-inform", "DER", "-in", der, "-pubout",
            "-out", public)
    openssl("x509", "-new", "-force_pubkey", public, "-CA",
            authority.certificate, "-CAkey", authority.key, "-subj", "/CN=x",
            "-days", "90", "-out", made)
    said = check(tmp_path, Pair(made, authority.issue("other").key))
    assert_refuses(said, *CERTIFICATE, "an RSA key of 8200 bits is not served; "
                   "use P-256, or RSA of at most 8192 bits")


def test_a_curve_that_is_not_served(tmp_path):
    key, made = tmp_path / "ed448.key", tmp_path / "ed448.pem"
    openssl("genpkey", "-algorithm", "ED448", "-out", key)
    openssl("req", "-x509", "-new", "-key", key, "-subj", "/CN=x", "-days",
            "90", "-out", made)
    key.chmod(0o600)
    assert_refuses(check(tmp_path, Pair(made, key)), *CERTIFICATE,
                   "its key is of a kind that is not served; use P-256")


def test_times(tmp_path, authority):
    old = authority.issue("old", end="20210101000000Z")
    assert_refuses(check(tmp_path, old), *CERTIFICATE,
                   "it has expired on 2021-01-01; renew it")
    early = authority.issue("early", start=days_from_now(5))
    assert_refuses(check(tmp_path, early), *CERTIFICATE,
                   r"it is not valid before 20\d\d-\d\d-\d\d; wait")
    for days, warned in ((29, True), (31, False)):
        soon = authority.issue(f"soon{days}", end=days_from_now(days))
        status, text = check(tmp_path, soon)
        assert status == 0
        assert ("warning: it expires on" in text) == warned, text
    assert check(tmp_path, authority.issue("soon", end=days_from_now(3)),
                 strict=True)[0] == 1


def test_a_hash_that_clients_refuse(tmp_path, authority):
    assert_refuses(check(tmp_path, authority.issue("sha1", md="sha1")),
                   *CERTIFICATE, r"it is signed with a weak hash \(SHA-1")


NO_NAME = ("warning: has no DNS name or IP address in subjectAltName, where "
           r"clients look for the gateway's name \(never at CN\)")


@pytest.mark.parametrize("names, warned", [
    (None, True), ("email:gw@gw.example", True), ("DNS:gw.example", False),
    ("IP:10.1.0.1", False), ("URI:https://gw.example", True)])
def test_a_name_that_clients_do_not_look_at(tmp_path, authority, names, warned):
    status, text = check(tmp_path, authority.issue("gw.example", names=names))
    assert status == 0
    if warned:
        assert_says((status, text), *CERTIFICATE, NO_NAME)
    else:
        assert text == ""


PARENT = ("parents:\n"
          "  - {name: hq, address: 127.0.0.1:2, tls: {name: hq.example, "
          "ca: ca.pem, certificate: gw.pem, key: gw.key}}\n")


@pytest.mark.parametrize("use, server, client", [
    ("clientAuth", "its extendedKeyUsage or keyUsage does not allow it for a "
     "server, so clients refuse it; have it issued with "
     "extendedKeyUsage=serverAuth", None),
    ("serverAuth", None, "its extendedKeyUsage or keyUsage does not allow it "
     "for a client, so the parent refuses it; have it issued with "
     "extendedKeyUsage=clientAuth"),
    ("serverAuth,clientAuth", None, None)])
def test_what_a_certificate_may_be_used_for(tmp_path, authority, use, server,
                                            client):
    """Of a parent's entry this gateway is the client, and needs no name."""
    extra = f"extendedKeyUsage={use}\n"
    status, text = check(tmp_path, authority.issue("used", extra=extra))
    assert (status, text.count("warning: ")) == (0, 1 if server else 0), text
    assert server is None or server in text
    (tmp_path / "ca.pem").write_bytes(authority.certificate.read_bytes())
    authority.issue("used", names="email:a@b", extra=extra).place(tmp_path)
    file = tmp_path / "gw.yaml"
    file.write_text(PARENT + "rules: [{action: allow, from: [loopback], "
                    "to: [any], via: [hq]}]\n")
    done = subprocess.run([BINARY, "-t", "-c", file], capture_output=True,
                          text=True, timeout=60)
    assert (done.returncode, done.stderr.count("warning: ")) == \
        (0, 1 if client else 0), done.stderr
    assert client is None or client in done.stderr


def test_keys(tmp_path, authority):
    pair, other = authority.issue("one"), authority.issue("other")
    assert_refuses(check(tmp_path, Pair(pair.certificate, other.key)), *KEY,
                   "is not the key of the certificate")
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", pair.key, "-aes128", "-passout", "pass:x", "-out",
            locked)
    assert_refuses(check(tmp_path, Pair(pair.certificate, locked)), *KEY,
                   "is encrypted, and nobody is there to type the passphrase")
    assert_refuses(check(tmp_path, Pair(pair.certificate, pair.certificate)),
                   *KEY, 'has no private key in PEM, but "CERTIFICATE"; name '
                   "the right file")
    assert_refuses(check(tmp_path, Pair(pair.key, pair.key)), *CERTIFICATE,
                   'has no certificate in PEM, but "PRIVATE KEY"')
    pair.place(tmp_path)
    (tmp_path / "gw.key").chmod(0o644)
    assert assert_says(check(tmp_path), *KEY, "warning: everybody on this "
                       "machine may read it; chmod o-rwx") == 0


def test_a_certificate_and_a_key_that_are_exchanged(tmp_path, authority):
    """Both are named, and nobody is told to change a certificate's mode."""
    pair = authority.issue("exchanged")
    check(tmp_path, Pair(pair.key, pair.certificate))
    (tmp_path / "gw.key").chmod(0o644)
    said = check(tmp_path)
    assert_refuses(said, *CERTIFICATE, 'has no certificate in PEM, but "PRIVATE')
    assert_refuses(said, *KEY, 'has no private key in PEM, but "CERTIFICATE"')
    assert "chmod" not in said[1]


def test_what_is_not_pem_is_said(tmp_path, authority):
    pair = authority.issue("one")
    pair.place(tmp_path)
    certificate = tmp_path / "gw.pem"
    openssl("x509", "-in", pair.certificate, "-outform", "DER", "-out",
            certificate)
    assert_refuses(check(tmp_path), *CERTIFICATE, "has no certificate in PEM; "
                   "it may be DER or PKCS #12")
    openssl("req", "-new", "-key", pair.key, "-subj", "/CN=x", "-out",
            certificate)
    assert_refuses(check(tmp_path), *CERTIFICATE, "has no certificate in PEM, "
                   'but "CERTIFICATE REQUEST"; name the right file')
    certificate.write_text(pair.certificate.read_text()[:200])
    assert_refuses(check(tmp_path), *CERTIFICATE, "has no certificate in PEM; "
                   "what is there is damaged")
    certificate.write_text("hello\n")
    assert_refuses(check(tmp_path), *CERTIFICATE, "has no certificate in PEM; "
                   "name a file that begins with -----BEGIN")
    (tmp_path / "gw.key").write_text("-----BEGIN EC PRIVATE KEY-----\nx\n")
    assert_refuses(check(tmp_path), *KEY, "has no private key in PEM; what is "
                   "there is damaged")


def test_files_that_cannot_be_read(tmp_path, authority):
    """Nothing is waited for."""
    authority.issue("one").place(tmp_path)
    certificate = tmp_path / "gw.pem"
    certificate.unlink()
    assert_refuses(check(tmp_path), *CERTIFICATE, "No such file or directory")
    os.mkfifo(certificate)
    assert_refuses(check(tmp_path), *CERTIFICATE, "is not a regular file")
    certificate.unlink()
    certificate.mkdir()
    assert_refuses(check(tmp_path), *CERTIFICATE, "is not a regular file")
    certificate.rmdir()
    certificate.write_bytes(b"")
    assert_refuses(check(tmp_path), *CERTIFICATE, "is empty")
    with open(certificate, "wb") as file:
        file.truncate((1 << 20) + 1)
    assert_refuses(check(tmp_path), *CERTIFICATE, "is larger than 1 MiB")


def test_a_key_that_root_may_read_only_at_the_start(tmp_path, authority,
                                                    real_root):
    """The monitor gives up that right before it reads the key, so that a
    reload fails for no other reason than the start."""
    authority.issue("one").place(tmp_path)
    os.chown(tmp_path / "gw.key", 65534, 65534)
    assert_refuses(check(tmp_path), *KEY, "permission denied")


CLIENTS = ("      client: require\n"
           "      ca: ca.pem\n")


def test_what_verifies_clients(tmp_path, authority):
    pair = authority.issue("server")
    ca, crl = tmp_path / "ca.pem", tmp_path / "ca.crl"
    with_crl = CLIENTS + "      crl: ca.crl\n"
    ca.write_bytes(authority.certificate.read_bytes())
    authority.revocations(crl)
    assert check(tmp_path, pair, with_crl, strict=True) == (0, "")
    authority.revocations(crl, until="20210101000000Z")
    assert assert_says(check(tmp_path, pair, with_crl), 8, 12, "crl", "ca.crl",
                       "warning: the list of /CN=test CA has expired on") == 0
    other = Authority(tmp_path / "other", "other CA")
    other.revocations(crl)
    assert assert_says(check(tmp_path, pair, with_crl), 8, 12, "crl", "ca.crl",
                       "warning: the list of /CN=other CA is of no CA") == 0
    imposter = Authority(tmp_path / "imposter")
    imposter.revocations(crl)
    assert_refuses(check(tmp_path, pair, with_crl), 8, 12, "crl", "ca.crl",
                   "the list of /CN=test CA is not signed by that CA")
    crl.write_text("nothing\n")
    assert_refuses(check(tmp_path, pair, with_crl), 8, 12, "crl", "ca.crl",
                   "has no revocation list in PEM")
    ca.write_text("nothing\n")
    assert_refuses(check(tmp_path, pair, CLIENTS), 7, 11, "ca", "ca.pem",
                   "has no certificate in PEM")
    ca.write_bytes(pair.certificate.read_bytes())
    assert assert_says(check(tmp_path, pair, CLIENTS), 7, 11, "ca", "ca.pem",
                       "warning: .*is not the certificate of a CA") == 0
    long = Authority(tmp_path / "long", "/O=".join(["x" * 60] * 7))
    ca.write_text(long.certificate.read_text() * 140)
    assert_refuses(check(tmp_path, pair, CLIENTS), 7, 11, "ca", "ca.pem",
                   "the names of its CAs, which each client is told, are "
                   "longer than the 65535 octets")


def test_every_error_is_said_at_once(tmp_path, authority):
    pair, other = authority.issue("one", end="20210101000000Z"), \
        authority.issue("other")
    said = check(tmp_path, Pair(pair.certificate, other.key))
    assert_refuses(said, *CERTIFICATE, "it has expired")
    assert_refuses(said, *KEY, "is not the key of the certificate")


# --- at the start, and by HUP -----------------------------------------------

def test_a_bad_pair_does_not_start(lab, tmp_path, authority):
    Pair(authority.issue("one").certificate,
         authority.issue("other").key).place(tmp_path)
    file = tmp_path / "gw.yaml"
    file.write_text(f"listen: [{tls.listener()}]\n"
                    "rules: [{action: allow, from: [private], to: [any]}]\n")
    text = refused_start(lab.gateway, BINARY, "-c", file)
    assert re.match(rf"{file}:1:\d+: tls.key: {tmp_path}/gw.key: is not the "
                    "key of the certificate", text), text


def test_a_certificate_that_ends_soon_is_said_at_a_reload(start_gateway,
                                                          tmp_path, authority):
    authority.issue("good").place(tmp_path)
    gateway = start_gateway(
        listen=f"[{tls.listener().replace('gw.', f'{tmp_path}/gw.')}]")
    authority.issue("soon", end=days_from_now(3)).place(tmp_path)
    reloaded(gateway)
    assert [line["message"] for line in gateway.lines()
            if line["event"] == "reload_warning"
            and "it expires on" in line["message"]]


def test_tls_comes_and_goes_by_reload(start_gateway, tmp_path, authority):
    """And the signer with it."""
    plain = '{address: "10.1.0.1:1080", name: a, insecure_plaintext: true}'
    secret = tls.listener().replace("gw.", f"{tmp_path}/gw.")
    authority.issue("good").place(tmp_path)
    gateway = start_gateway(listen=f"[{plain}]", timeouts="{request: 4s}")
    reloaded(gateway, listen=f"[{plain}, {secret}]")
    more_descriptors(gateway, 2)  # a listener and a link
    client, server = tls.session(gateway, tls.context(authority.certificate))
    tls.echoes(client, server)
    reloaded(gateway, listen=f"[{plain}]")
    tls.echoes(client, server)
    tls.end(client, server)
    reloaded(gateway, listen=f"[{plain}, {secret}]")
    client, server = tls.session(gateway, tls.context(authority.certificate))
    tls.end(client, server)
