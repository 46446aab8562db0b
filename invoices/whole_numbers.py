"""A column for whole numbers of any size: what a large fleet's disks use in a month is more than 64 bits hold."""

from operator import index
from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    Field = models.Field[int, int]
else:
    Field = models.Field  # Takes no parameters outside its stubs.


class WholeNumberField(Field):
    """Stored as decimal digits, exact on SQLite and PostgreSQL alike. Read and added up in Python, never in SQL."""

    def get_internal_type(self) -> str:
        return "TextField"

    def get_prep_value(self, value: Any) -> str | None:
        """Return the digits. Raise TypeError for what is not exact."""
        return None if value is None else str(index(value))

    def to_python(self, value: Any) -> int | None:
        return None if value is None else int(value)

    def from_db_value(self, value: str | None, *_: object) -> int | None:
        return self.to_python(value)
