"""What the records must say of what was seen outside."""
import collections

from gateway import wait_for

# Sessions to one address: how many, and their octets together.
Seen = collections.namedtuple("Seen", "address up down count",
                              defaults=[1])


def records_of(gateway, count):
    """Every record there is: so many."""
    wait_for(f"{count} records", lambda: len(gateway.records()) >= count)
    found = gateway.records()
    assert len(found) == count
    return found


def shown(text):
    """As a record has a value that needs no escapes."""
    return text if len(text) <= 128 else f"{text[:128]}\u2026({len(text)})"


def granted(gateway, seen, userid="", ends=("fin",), name=None):
    """Every session was let through and ended so, and what the gateway
    counted is what was seen. Returns the records."""
    found = records_of(gateway, seen.count)
    expected = {"userid": shown(userid), "dest": "%s:%d" % seen.address,
                "command": "connect", "name": name, "rule": "all",
                "verdict": "granted", "code": 90}
    for record in found:
        assert {key: record[key] for key in expected} == expected
        assert record["end"] in ends
    assert sum(record["up"] for record in found) == seen.up
    assert sum(record["down"] for record in found) == seen.down
    gateway.tell(up=seen.up, down=seen.down)
    return found


def refused(gateway, to, verdict, rule, userid=""):
    """There was one session, and it was refused for that reason."""
    record, = records_of(gateway, 1)
    expected = {"userid": shown(userid), "dest": "%s:%d" % to, "command": "connect",
                "name": None, "rule": rule, "verdict": verdict, "code": 91,
                "up": 0, "down": 0}
    assert {key: record[key] for key in expected} == expected
