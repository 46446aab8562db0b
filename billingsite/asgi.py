"""HTTP goes to Django, WebSockets to Channels: only from our own pages, with the session's user."""

import os

import django
from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billingsite.settings")
django.setup(set_prefix=False)

from billingsite.handler import OneThread  # noqa: E402 - these need the apps that the line above loads
from billingsite.ws_urls import websocket_urlpatterns  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": OneThread(),
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
