"""All rows, in the order of the table."""
from asked import Ident, Names
from balancers import Headers, Nodes
from binary import Binary
from descriptors import Descriptors
from drain import Drain
from flood import Dripping, Flood, Sources
from half_close import HalfCloseCopy, HalfCloseSplice
from killed import Killed
from memory import Memory
from octets import RandomErrors, SingleOctets
from operated import Control, Listed, OperatorKill, Page
from parents import Dies, Failing
from pause import Pause
from ports import BindRange, EphemeralPorts
from resets import Resets
from silence import Silence
from sinks import DiskFull, JournalStopped, ReaderStopped, SyslogGone
from spoilt import Spoilt
from stall import StallCopy, StallSplice
from storm import Storm
from sweeps import Allocations, SystemCalls
from tls_faults import (Certificates, Cuts, HandshakeCuts, Handshakes, Rotation, Signer,
                 Stopped, Storms, Unfinished)
from turns import Idle, Turns

ALL = [row() for row in (
    Descriptors, Allocations, SystemCalls, SingleOctets, RandomErrors,
    Silence, Dripping, Flood, Sources, BindRange, StallCopy, StallSplice,
    HalfCloseCopy, HalfCloseSplice, Resets, EphemeralPorts, Memory, Turns,
    Idle, Killed, Storm, Spoilt, Drain, DiskFull, ReaderStopped,
    SyslogGone, JournalStopped, Names, Ident, Pause, Binary, Unfinished, HandshakeCuts, Storms,
    Handshakes, Certificates, Cuts, Stopped, Rotation, Signer,
    Failing, Dies, Headers, Nodes, Control, Page, OperatorKill, Listed)]
