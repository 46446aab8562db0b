"""Django's handle on this app."""

from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "usage"
