"""Who else had the processors meanwhile."""
import os
import pathlib
import resource

TICK = os.sysconf("SC_CLK_TCK")


class Neighbours:
    def __init__(self):
        self.began = self._now()

    @staticmethod
    def _now():
        """Seconds since some time: all, at work, ours. Processes count as
        ours when they have ended."""
        line = pathlib.Path("/proc/stat").read_text().split("\n")[0]
        user, nice, system, idle, wait, irq, soft = (
            int(word) / TICK for word in line.split()[1:8])
        usage = [resource.getrusage(who) for who in
                 (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        ours = sum(one.ru_utime + one.ru_stime for one in usage)
        work = user + nice + system + irq + soft
        return work + idle + wait, work, ours

    def share(self):
        """Of the processors' time, that of other processes."""
        whole, work, ours = (
            now - began for now, began in zip(self._now(), self.began))
        return max(work - ours, 0) / whole
