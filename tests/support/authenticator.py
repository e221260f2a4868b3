"""The authenticator by itself: the test is its monitor and its workers."""
import os
import re
import socket
import struct

import lab as places
from gateway import ROOT
from role import Role, kind

# struct channel_message with a file, struct authentication_question, its answer
FILE = struct.Struct("=IIIIQ136x")
QUESTION = struct.Struct("=IIQQBB255s255s")
ANSWER = struct.Struct("=QII")
ASK, CANCEL = 1, 2
ACCEPTED, REFUSED, FAILED, LIMITED, OVERLOADED = range(5)


def file_kind(name):
    """Its number in channel.h."""
    text = ROOT.joinpath("gateway/channel.h").read_text()
    text = text[text.index("enum channel_file_kind"):]
    names = re.findall(r"^    CHANNEL_FILE_(\w+)", text, re.M)
    return 1 + names.index(name)


class Link:
    """What a worker has of it."""

    def __init__(self):
        self.sock, self.other = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(places.TIMEOUT)

    def ask(self, number, user, password, source=1, timeout_ms=60000):
        user, password = user.encode(), password.encode()
        self.sock.send(QUESTION.pack(ASK, timeout_ms, number, source,
                                     len(user), len(password), user, password))

    def answer(self):
        """(id, outcome)"""
        return ANSWER.unpack(self.sock.recv(65536))[:2]

    def check(self, user, password, source=1):
        self.ask(77, user, password, source)
        number, outcome = self.answer()
        assert number == 77
        return outcome


class Authenticator(Role):
    def __init__(self, host):
        super().__init__(host, "authenticator")

    def send(self, descriptor, *values):
        socket.send_fds(self.control, [FILE.pack(*values)], [descriptor])
        os.close(descriptor)

    def take(self, text):
        """The users file is this from now on."""
        descriptor = os.memfd_create("users")
        os.write(descriptor, text.encode())
        self.send(descriptor, kind("FILE"), 0, file_kind("USERS"), 0,
                  len(text))

    def link(self, slot=0):
        link = Link()
        self.send(link.other.detach(), kind("LINK"), slot, 0, 0, 0)
        return link
