"""A Django REST framework view that does nothing, served as the product is: what every answer costs before it says anything."""

from django.core.asgi import get_asgi_application
from django.urls import URLPattern, path
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView


class Nothing(APIView):
    def get(self, request: Request) -> Response:
        return Response({"results": [], "next": None, "previous": None})


urlpatterns: list[URLPattern] = [path("bare/", Nothing.as_view())]
application = get_asgi_application()
