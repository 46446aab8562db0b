"""Django's handle on this app."""

from django.apps import AppConfig


class InvoicesConfig(AppConfig):
    name = "invoices"
