"""HTTP goes to Django, WebSockets to Channels: only from our own pages, with the session's user."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billingsite.settings")
http = get_asgi_application()

from billingsite.ws_urls import websocket_urlpatterns  # noqa: E402 - the sockets need the apps that the line above loads

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(AuthMiddlewareStack(URLRouter(websocket_urlpatterns))),
    }
)
