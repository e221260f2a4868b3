"""What a gateway says at observe.address."""
import http.client
import re

OPEN = "application/openmetrics-text"
SAMPLE = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def get(host, path, method="GET", at=("127.0.0.1", 9180), body=None, **headers):
    """(status, headers, text), asked for by `host`"""
    connection = http.client.HTTPConnection(*at)
    connection.sock = host.connect(at)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def samples(text):
    """{(name without prefix, ((label, value), …)): number}"""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels, value = SAMPLE.match(line).groups()
        key = (name.removeprefix("socks4d_"),
               tuple(sorted(LABEL.findall(labels or ""))))
        assert key not in found, line
        found[key] = float(value)
    return found


def total(found, name, **labels):
    """The sum of all samples of that name that have these labels."""
    return sum(value for (its_name, its_labels), value in found.items()
               if its_name == name
               and labels.items() <= dict(its_labels).items())
