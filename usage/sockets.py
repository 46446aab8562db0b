"""Last step on the data's way to an eye: new points, pushed to the members of one customer or to the operators."""

import json
from typing import Any

from accounts.guarded import CustomerSocket, FleetGuardedSocket
from usage.live import FLEET_GROUP, customer_group

_last: tuple[object, str] = (None, "")


def _text(points: list[dict[str, Any]]) -> str:
    """Points as the browser gets them. Everybody who listens in this process is handed the same list, so it is written once."""
    global _last
    if _last[0] is not points:
        _last = (points, json.dumps({"points": points}))
    return _last[1]


class UsageSocket(CustomerSocket):
    """`/ws/usage/?customer=CODE`: the points of one customer's machines, as they are stored."""

    def group_of(self) -> str:
        return customer_group(self.customer.pk)

    def hear(self, event: dict[str, Any]) -> None:
        """Hand points on to the browser."""
        self.say(_text(event["points"]))


class FleetSocket(FleetGuardedSocket):
    """`/ws/fleet/`: the points of all machines, for the administration."""

    def group_of(self) -> str:
        return FLEET_GROUP

    def hear(self, event: dict[str, Any]) -> None:
        """Hand points on to the browser."""
        self.say(_text(event["points"]))
