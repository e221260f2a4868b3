"""Sessions broken off at random moments: before the reply, in mid-stream, in
both directions, by either side."""
from load import Plan
from row import Figure, Row

SIZE = 60000


class Resets(Row):
    name = "resets"
    fault = "100 000 sessions reset at random moments"
    unit = "sessions"
    full, short = 100000, 10000
    seconds = 180
    peers_short = True
    peers = ("dante", "hpsockd", "haproxy")

    def measure(self, stage, count, short):
        gate = stage.start()
        if gate.ours:
            gate.sums_known = False  # of one that was broken off
        plans = [Plan("broken-off", SIZE, SIZE, resets="yes")]
        servers = stage.serve(plans)
        with stage.honest() as honest:
            broken = stage.sessions(
                plans, slots=200, count=count, opening=100,
                sources="10.70.0.1/60000", limit=self.seconds - 40).result()
        counts = servers.settled()["broken-off"]
        servers.end()
        return [
            Figure("foreign octets seen by", broken.count("foreign")
                   + counts["foreign"], "ends", most=0),
            Figure("resets that looked like an end",
                   broken.count("clean") + broken.count("short")
                   + counts["clean"] + counts["short"], "", most=0),
            Figure("ends that lost octets sent before the reset",
                   broken.count("lost") + counts["lost"], "", most=0),
            Figure("never answered", broken.count("late"), "", most=0),
            Figure("cut without a reply", broken.count("cut"), "", most=0),
            Figure("honest sessions exact", honest[-1].share(), "%",
                   least=100),
            Figure("sessions a second", count / broken.seconds),
        ]
