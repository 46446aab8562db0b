"""Celery's entry point: `celery -A billingsite worker -B`. What runs when is in settings.CELERY_BEAT_SCHEDULE."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "billingsite.settings")

app = Celery("billingsite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
