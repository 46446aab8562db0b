"""Seals all secrets of the database anew with the first key of DATA_KEYS, so that older keys can be thrown away."""

from collections import Counter
from collections.abc import Iterator

from django.db import models, transaction

from accounts import sealed
from accounts.audit import record
from accounts.models import SecondFactor, WebhookEndpoint

PLACES: tuple[tuple[type[models.Model], str], ...] = (
    (SecondFactor, "sealed"),
    (SecondFactor, "pending"),
    (WebhookEndpoint, "sealed"),
    (WebhookEndpoint, "sealed_before"),
)


@transaction.atomic
def rekey() -> Counter[str]:
    """Return how many were sealed anew, by table, and under `lost` how many no key opens; those stay as they are."""
    done: Counter[str] = Counter()
    for model, field in PLACES:
        for pk, secret in _secrets(model, field):
            try:
                model._default_manager.filter(pk=pk).update(**{field: sealed.resealed(secret)})
                done[model._meta.verbose_name_raw] += 1
            except sealed.NotOurs:
                done["lost"] += 1
    record("secrets.rekeyed", after=dict(done))
    return done


def _secrets(model: type[models.Model], field: str) -> Iterator[tuple[int, bytes]]:
    rows = model._default_manager.select_for_update().exclude(**{field: None})
    yield from [(row.pk, getattr(row, field)) for row in rows]
