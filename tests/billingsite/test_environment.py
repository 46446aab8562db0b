"""Settings from the environment: good values are taken, bad ones stop the start with a sentence that names them."""

import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured, ValidationError

from accounts.models import Customer
from billingsite import environment as env

URL = r"(sqlite|postgres|postgresql)://.+"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda: env.flag("X", default=True), "perhaps"),
        (lambda: env.whole("X", 35, low=1, high=99), "0"),
        (lambda: env.whole("X", 35, low=1, high=99), "3.5"),
        (lambda: env.choice("X", "INFO", ("INFO", "ERROR")), "LOUD"),
        (lambda: env.iban("X"), "DE89370400440532013001"),
        (lambda: env.formed("X", "sqlite://x", URL, "postgres://user@host/name"), "garbage"),
    ],
)
def test_a_bad_value_is_named_with_its_variable(read: Callable[[], object], value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", value)

    with pytest.raises(ImproperlyConfigured, match=f"X='{value}'"):
        read()


def test_good_values_are_taken_and_empty_ones_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("X", " on ")
    monkeypatch.setenv("Y", "")
    monkeypatch.setenv("Z", "DE89 3704 0044 0532 0130 00")

    assert env.flag("X", default=False) is True
    assert (env.iban("Z"), env.iban("Y")) == ("DE89370400440532013000", "")
    assert env.whole("Y", 35, low=1, high=99) == 35


def test_a_secret_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("X", raising=False)

    first, second = (env.secret("X", tmp_path / "secret") for _ in range(2))

    assert first == second
    assert len(first) > 60
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("field", "value"), [("currency", "QQQ"), ("locale", "xx-YY"), ("timezone", "Berlin"), ("grace_hours", 2_000)]
)
def test_a_customer_takes_only_what_can_be_billed_and_shown(field: str, value: object) -> None:
    good = {"code": "acme", "name": "Acme", "currency": "EUR", "timezone": "Europe/Berlin", "locale": "de-DE"}
    Customer(**good).clean_fields()

    with pytest.raises(ValidationError) as refused:
        Customer(**good | {field: value}).clean_fields()

    assert list(refused.value.message_dict) == [field]
