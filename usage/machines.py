"""The one writer of a machine's row, as far as people and programs write it; what was reported is the worker's to write."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from accounts.audit import record
from accounts.models import Customer
from usage.models import Machine


class MachineError(ValueError):
    """Why a machine cannot be added or changed so, as a sentence."""


@transaction.atomic
def add_machine(customer: Customer, code: str, name: str = "") -> Machine:
    """Add a machine. Its code is the id that its agent sends, unique in the installation."""
    machine = Machine(customer=customer, code=code, name=name)
    try:
        machine.full_clean()
        with transaction.atomic():
            machine.save(force_insert=True)
    except ValidationError as error:
        raise MachineError(" ".join(error.messages)) from error
    except IntegrityError as error:  # Two at once, or another customer's, which the database may hide from this one.
        raise MachineError("Machine with this Code already exists.") from error
    record("machine.added", f"machine:{machine.pk}", customer_pk=customer.pk, after={"code": code, "name": name})
    return machine


@transaction.atomic
def change_machine(machine: Machine, *, name: str | None = None, retired: bool | None = None) -> Machine:
    """Rename a machine, or retire it: from then on its samples are refused. What it has used stays billed."""
    before = {"name": machine.name, "retired_at": machine.retired_at}
    if name is not None:
        machine.name = name
    if retired is not None:
        machine.retired_at = (machine.retired_at or now()) if retired else None
    machine.save(update_fields=["name", "retired_at"])
    after = {"name": machine.name, "retired_at": machine.retired_at}
    record("machine.changed", f"machine:{machine.pk}", customer_pk=machine.customer_id, before=before, after=after)
    return machine
