"""Wiring only: settings, addresses, the ASGI and Celery entry points, and the commands that start the product."""

from billingsite.celery import app as celery_app

__all__ = ["celery_app"]
