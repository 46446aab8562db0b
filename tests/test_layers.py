"""Who may import whom. The table is the rule; docs and habits follow it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("accounts", "agent", "billingsite", "invoices", "usage")

# A room, and the rooms it may import besides itself.
MAY_IMPORT = {
    "agent": set[str](),
    "accounts": set[str](),
    "usage": {"accounts"},
    "invoices": {"accounts", "usage"},
    "billingsite": {"accounts", "usage", "invoices"},
}
PURE = {
    "usage": (
        "buckets",
        "classify",
        "meters",
        "overlaps",
        "payload",
        "periods",
        "portions",
        "quick",
        "runs",
        "wire",
        "wire_errors",
    ),
    "invoices": (
        "charges",
        "explain",
        "levels",
        "metering",
        "money",
        "parts",
        "plan_fields",
        "plan_file",
        "plan_lines",
        "plan_price",
        "plan_times",
        "rating",
        "settlement",
        "takers",
        "terms",
        "windows",
    ),  # fmt: skip
}
EDGES = ("admin", "api", "sockets", "tasks", "views", "management")
# Modules that only these may import: one writer per kind of row.
ONLY_BY = {
    "usage.sql": {
        "usage.ingest",
        "usage.offsets",
        "usage.audit",
        "usage.batch",
        "usage.sums",
        "usage.rebuild",
        "usage.retention",
        "usage.partitions",
        "usage.days",
    },
    "usage.days": {
        "usage.ingest",
        "usage.audit",
        "usage.rebuild",
        "usage.tasks",
        "usage.management.commands.rebuild_buckets",
    },
    "usage.ingest": {"usage.worker", "usage.desk", "usage.monitor", "usage.management.commands.consume_usage"},
    "usage.desk": {"usage.rejected_admin", "usage.rejected_bulk", "usage.rejected_api", "usage.admin", "usage.early"},
}


def _modules(room: str) -> Iterator[tuple[str, set[str]]]:
    """Yield (module, what it imports), except migrations and generated folders."""
    for path in sorted((ROOT / room).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not {"migrations", "build"} & set(parts):
            yield ".".join(parts), set(_imports(ast.parse(path.read_text())))


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


def _in(imported: str, module: str) -> bool:
    return imported == module or imported.startswith(f"{module}.")


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_the_rooms_below_it(room: str) -> None:
    forbidden = set(ROOMS) - MAY_IMPORT[room] - {room}
    if room == "agent":
        forbidden |= {"django"}

    breaches = [(m, i) for m, imports in _modules(room) for i in imports if any(_in(i, other) for other in forbidden)]

    assert breaches == []


@pytest.mark.parametrize("room", PURE)
def test_pure_modules_know_no_django(room: str) -> None:
    found = dict(_modules(room))
    impure = {f"{room}.{name}" for name in ("models", "ingest", "sql", "billing")}

    for name in PURE[room]:
        imports = found[f"{room}.{name}"]
        assert [i for i in imports if _in(i, "django") or any(_in(i, other) for other in impure)] == [], name


def test_nobody_imports_an_edge_but_billingsite() -> None:
    edges = {f"{room}.{edge}" for room in ("accounts", "usage", "invoices") for edge in EDGES}

    breaches = [
        (module, imported)
        for room in ("accounts", "usage", "invoices")
        for module, imports in _modules(room)
        for imported in imports
        for edge in edges
        if _in(imported, edge) and not _in(module, edge)
    ]

    assert breaches == []


@pytest.mark.parametrize("guarded", ONLY_BY)
def test_a_writer_is_called_from_the_edges_that_may(guarded: str) -> None:
    callers = {module for room in ROOMS for module, imports in _modules(room) if any(_in(i, guarded) for i in imports)}

    assert callers - ONLY_BY[guarded] - {guarded} == set()
