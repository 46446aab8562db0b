"""The addresses below /api/."""

from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from accounts.api import CustomerList, NoSuchPage
from usage.api import MachineDetail, MachineList, MachineWatermark, SampleList, UsageReport

urlpatterns: list[URLPattern] = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema"), name="api-docs"),
    path("v1/customers/", CustomerList.as_view(), name="api-customers"),
    path("v1/machines/", MachineList.as_view(), name="api-machines"),
    path("v1/machines/<slug:code>/", MachineDetail.as_view(), name="api-machine"),
    path("v1/machines/<slug:code>/watermark", MachineWatermark.as_view(), name="api-watermark"),
    path("v1/usage/", UsageReport.as_view(), name="api-usage"),
    path("v1/samples/", SampleList.as_view(), name="api-samples"),
    re_path(r"", NoSuchPage.as_view(), name="api-nothing"),
]
