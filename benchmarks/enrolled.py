"""A process that gives every machine of a database its key: `python -m benchmarks.enrolled`. Prints how many there are."""

import json

import django

from benchmarks.signers import key_of


def main() -> None:
    django.setup()
    from usage.models import Machine, MachineKey

    machines = list(Machine.objects.all())
    keys = [(machine, key_of(int(machine.code.removeprefix("m-")))) for machine in machines]
    MachineKey.objects.bulk_create([MachineKey(machine=machine, keyid=key.id, public_key=key.public) for machine, key in keys])
    print(json.dumps({"keys": len(keys)}), flush=True)


if __name__ == "__main__":
    main()
