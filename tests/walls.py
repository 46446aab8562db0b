"""Tests behind the second wall: this test's own connection in the role of a process, until the test is rolled back."""

import contextlib
from collections.abc import Iterator

import pytest
from django.db import connection

from accounts import wall
from billingsite import database_roles

needs_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="roles and policies are PostgreSQL's")


@contextlib.contextmanager
def in_role(role: str) -> Iterator[None]:
    """Ask as that role. The web's says with each statement who asks, and for the test itself that is nobody."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {role}")
    if role == "corehour_web":
        connection.execute_wrappers.insert(0, wall.tell_first)
    try:
        yield
    finally:
        if role == "corehour_web":
            connection.execute_wrappers.remove(wall.tell_first)
        if not connection.needs_rollback:
            with connection.cursor() as cursor:
                cursor.execute("RESET ROLE")


@pytest.fixture
def roles(db: None) -> None:
    """The roles and the wall, in this test's transaction."""
    database_roles.apply({})
    wall.asks("nobody")
