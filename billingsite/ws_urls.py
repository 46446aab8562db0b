"""The addresses of the live sockets."""

from typing import Any

from django.urls import path, re_path

from accounts.guarded import NoSuchSocket
from invoices.sockets import CostSocket
from usage.sockets import FleetSocket, UsageSocket

usage: Any = UsageSocket.as_asgi()
fleet: Any = FleetSocket.as_asgi()
cost: Any = CostSocket.as_asgi()
nothing: Any = NoSuchSocket.as_asgi()

websocket_urlpatterns = [
    path("ws/usage/", usage),
    path("ws/fleet/", fleet),
    path("ws/cost/", cost),
    re_path(r"", nothing),
]
