"""Certificates and keys, made by openssl for a test."""
import base64
import pathlib
import re
import shutil
import subprocess

KINDS = {
    "P-256": ("EC", "ec_paramgen_curve:P-256"),
    "P-384": ("EC", "ec_paramgen_curve:P-384"),
    "RSA-1024": ("RSA", "rsa_keygen_bits:1024"),
    "RSA-2048": ("RSA", "rsa_keygen_bits:2048"),
    # Of four primes: two of that size take from one to many seconds.
    "RSA-4096": ("RSA", "rsa_keygen_bits:4096", "rsa_keygen_primes:4"),
    "Ed25519": ("ED25519",),
}

# An authority that issues what it is asked for.
_CONFIG = """
[ca]
default_ca = all
[all]
dir = {folder}
database = {folder}/index
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
default_md = sha256
default_days = 90
default_crl_days = 30
unique_subject = no
policy = any
[any]
commonName = supplied
"""


def openssl(*arguments, **options):
    done = subprocess.run(["openssl", *map(str, arguments)], timeout=60,
                          capture_output=True, text=True, **options)
    assert done.returncode == 0, (arguments, done.stderr)
    return done.stdout


def make_key(path, kind="P-256"):
    algorithm, *options = KINDS[kind]
    given = [word for option in options for word in ("-pkeyopt", option)]
    openssl("genpkey", "-algorithm", algorithm, "-out", path, *given)
    pathlib.Path(path).chmod(0o600)
    return path


class Pair:
    """A certificate and its key, in files."""

    def __init__(self, certificate, key):
        self.certificate = pathlib.Path(certificate)
        self.key = pathlib.Path(key)

    def place(self, folder, name="gw"):
        """Copies them to NAME.pem and NAME.key there, as rotation does."""
        for source, suffix in ((self.certificate, "pem"), (self.key, "key")):
            new = folder / f"{name}.{suffix}.new"
            shutil.copy(source, new)
            new.replace(folder / f"{name}.{suffix}")
        return self

    def fingerprint(self):
        text = self.certificate.read_text()
        body = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", text,
                         re.S)[1]
        return base64.b64decode(body)


class Authority:
    """A private CA in a folder: certificate ca.pem, lists of revoked ones."""

    def __init__(self, folder, name="test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.certificate = self.folder / "ca.pem"
        self.key = make_key(self.folder / "ca.key")
        self.config = self.folder / "ca.cnf"
        self.config.write_text(_CONFIG.format(folder=self.folder))
        (self.folder / "index").write_text("")
        (self.folder / "serial").write_text("1000\n")
        (self.folder / "crlnumber").write_text("10\n")
        openssl("req", "-x509", "-new", "-key", self.key, "-days", "365",
                "-subj", f"/CN={name}", "-out", self.certificate)

    def issue(self, name, kind="P-256", names="DNS:gw.example", start=None,
              end=None, key=None, extra="", md="sha256"):
        """A pair for the names (openssl's subjectAltName; None: only CN)."""
        key = key or make_key(self.folder / f"{name}.key", kind)
        request = self.folder / f"{name}.csr"
        made = self.folder / f"{name}.pem"
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(
            (f"subjectAltName={names}\n" if names else "basicConstraints="
             "CA:FALSE\n") + extra)
        openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out",
                request)
        dates = (("-startdate", start or "20200101000000Z", "-enddate", end)
                 if end else ("-startdate", start, "-days", "90") if start
                 else ())
        openssl("ca", "-batch", "-notext", "-config", self.config, "-cert",
                self.certificate, "-keyfile", self.key, "-in", request,
                "-out", made, "-extfile", extensions, "-md", md, *dates)
        return Pair(made, key)

    def revoke(self, pair):
        openssl("ca", "-config", self.config, "-cert", self.certificate,
                "-keyfile", self.key, "-revoke", pair.certificate)

    def revoke_others(self, count):
        """As many that nobody has, with numbers that it has not used."""
        with open(self.folder / "index", "a") as index:
            for number in range(count):
                index.write(f"R\t491231235959Z\t200101000000Z\t"
                            f"{(1 << 60) + number:X}\tunknown\t/CN=x\n")

    def revocations(self, path, until=None):
        openssl("ca", "-config", self.config, "-cert", self.certificate,
                "-keyfile", self.key, "-gencrl", "-out", path,
                *(("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate",
                   until) if until else ()))
        return path


def private_octets(key):
    """What of a key must never be found elsewhere: {name: octets}. Figures in
    the order of the file and in that of memory."""
    pem = pathlib.Path(key).read_text()
    body = re.search("-----BEGIN[^-]*-----(.*?)-----END", pem, re.S)[1]
    lines = body.split()
    found = {"PEM": lines[len(lines) // 2].encode(),
             "DER": base64.b64decode("".join(lines))}
    text = openssl("pkey", "-in", key, "-noout", "-text")
    for name in ("priv", "privateExponent", "prime1", "prime2"):
        match = re.search(rf"^{name}:\s*((?:[0-9a-f]{{2}}:?\s*)+)$", text,
                          re.M)
        if match:
            figure = bytes.fromhex(re.sub(r"[:\s]", "", match[1])).lstrip(
                b"\0")
            found[name] = figure
            found[f"{name} reversed"] = figure[::-1]
    assert len(found) >= 4, text
    return found
