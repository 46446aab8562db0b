"""Every address of the product."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from billingsite.health import healthz

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("api/", include("billingsite.api_urls")),
    path("healthz", healthz, name="healthz"),
]
