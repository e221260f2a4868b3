"""Configurations that change while a gateway runs."""
import os
import signal

from gateway import wait_for

OUTCOMES = ("reloaded", "unchanged", "reload_failed")


def events(gateway, *names):
    return [line for line in gateway.lines() if line.get("event") in names]


def place(gateway, text):
    """The file is this one now, whole: nobody ever reads half of it."""
    new = gateway.config_path.with_suffix(".new")
    new.write_bytes(text if isinstance(text, bytes) else text.encode())
    os.replace(new, gateway.config_path)


def rewrite(gateway, **settings):
    gateway.settings.update(settings)
    place(gateway, gateway.config_text())


def reload(gateway, **settings):
    """HUP with these settings; the line that says what came of it."""
    if settings:
        rewrite(gateway, **settings)
    before = len(events(gateway, *OUTCOMES))
    gateway.signal(signal.SIGHUP)
    wait_for("an outcome", lambda: len(events(gateway, *OUTCOMES)) > before)
    return events(gateway, *OUTCOMES)[-1]


def reloaded(gateway, **settings):
    """The same, and it must be in force."""
    line = reload(gateway, **settings)
    assert line["event"] == "reloaded" and "behind" not in line, line
    return line


def failed(gateway, **settings):
    """The same, and it must not be: the sentence that says why."""
    line = reload(gateway, **settings)
    assert line["event"] == "reload_failed", line
    return line["message"]


def ids(gateway):
    """The configurations that USR1 tells of, the sum's last."""
    before = len(events(gateway, "total"))
    gateway.signal(signal.SIGUSR1)
    wait_for("the total", lambda: len(events(gateway, "total")) > before)
    lines = events(gateway, "status", "total")
    totals = [at for at, line in enumerate(lines) if line["event"] == "total"]
    return [line["config"] for line in
            lines[totals[before - 1] + 1 if before else 0:]]
