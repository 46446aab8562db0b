"""What must hold of a running product, one function each: pages, API, sockets and Kafka as a customer and an agent use them."""

import contextlib
import io
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pypdf import PdfReader
from websockets import Origin
from websockets.sync.client import ClientConnection, connect

from billingsite.probe import Emitted, Probe
from billingsite.visitor import Visitor

SHOWS_WITHIN_S = 20.0
POINT_WITHIN_S = 4.0
HISTORY_WITHIN_S = 120.0


class CheckFailed(Exception):
    """Something is not as it should be. The text says what was expected and what was found."""


@dataclass(frozen=True)
class Place:
    """Where the product answers."""

    site: str
    bootstrap: str
    topic: str


def wrong_password_is_refused(site: str, email: str, password: str) -> None:
    answer = Visitor(site).sign_in(email, f"{password}-not")
    _expect(answer.path == "/sign-in/", f"a wrong password for {email} led to {answer.url}")


def signed_in(site: str, email: str, password: str) -> Visitor:
    visitor = Visitor(site)
    answer = visitor.sign_in(email, password)
    _expect(answer.status == 200 and answer.path != "/sign-in/", f"{email} signed in and got {answer.status} at {answer.url}")
    return visitor


def customers(visitor: Visitor) -> list[str]:
    return [row["code"] for row in visitor.json("/api/v1/customers/")["results"]]


def strangers_get_nothing(visitor: Visitor, foreign_customer: str, foreign_machine: str) -> None:
    for path in (f"/machines/{foreign_machine}/", f"/?customer={foreign_customer}", f"/api/v1/machines/{foreign_machine}/"):
        status = visitor.get(path).status
        _expect(status == 404, f"{path} of another customer answers {status}, not 404")


def sized_machine(visitor: Visitor, customer: str) -> dict[str, Any] | None:
    """Return a machine in use that has told its size, which only wire format 1 does."""
    machines: list[dict[str, Any]] = visitor.json("/api/v1/machines/", customer=customer)["results"]
    return next((one for one in machines if one["cores"] and one["memory_mib"] and not one["retired_at"]), None)


def spare_machine(visitor: Visitor, customer: str) -> str:
    """Return the code of a machine that nothing else speaks for: a machine's time is metered once."""
    machines: list[dict[str, Any]] = visitor.json("/api/v1/machines/", customer=customer)["results"]
    found = next((one["code"] for one in machines if one["code"].startswith("spare-")), None)
    if found is None:
        raise CheckFailed(f"{customer} has no spare machine")
    return str(found)


def sample_on_the_live_socket(place: Place, visitor: Visitor, customer: str, probe: Probe) -> Emitted:
    """Live points may be dropped and then charts catch up from the database, so a sample in vain is followed by another."""
    with _socket(place, visitor, f"/ws/usage/?customer={customer}") as socket:
        for _ in range(5):
            emitted = probe.emit()
            if _shows(socket, emitted):
                return emitted
    raise CheckFailed(f"/ws/usage/ showed none of {probe.seq} samples of {probe.machine}")


def sample_in_the_api(visitor: Visitor, emitted: Emitted) -> None:
    def is_listed() -> bool:
        rows = visitor.json("/api/v1/samples/", machine=emitted.machine, limit="500")["results"]
        return any(row["stream"] == emitted.stream and row["seq"] == emitted.seq for row in rows)

    wait(is_listed, SHOWS_WITHIN_S, f"/api/v1/samples/ does not list sample {emitted.seq} of stream {emitted.stream}")


def cost_of(visitor: Visitor, customer: str) -> tuple[int, Decimal]:
    """Return the core-milliseconds billed so far, and the running cost before rounding."""
    estimate = visitor.json("/api/v1/estimate/", customer=customer)
    core_ms = sum(line["base"] for line in estimate["lines"] if line["meter"] == "cpu")
    return core_ms, Decimal(estimate["exact"]["amount"])


def cost_has_risen(visitor: Visitor, customer: str, before: tuple[int, Decimal], emitted: Emitted) -> None:
    def has_risen() -> bool:
        core_ms, cost = cost_of(visitor, customer)
        return core_ms >= before[0] + emitted.cpu_ms and cost > before[1]

    wait(has_risen, SHOWS_WITHIN_S, f"the running cost of {customer} did not rise by the {emitted.cpu_ms} core-ms just sent")


def live_cost_is_the_api_s(place: Place, visitor: Visitor, customer: str) -> None:
    with _socket(place, visitor, f"/ws/cost/?customer={customer}") as socket:
        told = Decimal(json.loads(socket.recv(timeout=SHOWS_WITHIN_S))["exact"])
    _, asked = cost_of(visitor, customer)
    _expect(asked >= told > 0, f"/ws/cost/ says {told} and the API {asked} for {customer}")


def last_invoice(visitor: Visitor, customer: str) -> dict[str, Any]:
    """Return last month's finalised invoice, waiting while the history is still on its way."""

    def newest() -> Any:
        rows = visitor.json("/api/v1/invoices/", customer=customer)["results"]
        return rows[0] if rows else None

    wait(lambda: newest() is not None, HISTORY_WITHIN_S, f"{customer} has no finalised invoice")
    return dict(newest())


def invoice_totals_agree(visitor: Visitor, invoice: dict[str, Any]) -> None:
    """The API's total is that of the PDF, digit by digit, whatever separators the customer's language prints."""
    number, total = invoice["number"], invoice["total"]["amount"]
    lines = visitor.json(f"/api/v1/invoices/{number}/")["lines"]
    _expect(bool(lines), f"invoice {number} has no line")
    answer = visitor.get(f"/invoices/{number}.pdf")
    _expect(
        answer.status == 200 and answer.body.startswith(b"%PDF"), f"/invoices/{number}.pdf answers {answer.status} and no PDF"
    )
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(answer.body)).pages)
    printed = {re.sub(r"\D", "", amount) for amount in re.findall(r"\d[\d.,'\u2019\u00a0\u202f]*", text)}
    _expect(re.sub(r"\D", "", total) in printed, f"invoice {number} is {total} in the API, and its PDF does not say so")


@contextlib.contextmanager
def _socket(place: Place, visitor: Visitor, path: str) -> Iterator[ClientConnection]:
    address = f"ws{place.site.removeprefix('http')}{path}"
    headers = {"Cookie": visitor.cookie_header()}
    origin = Origin(place.site)
    with connect(address, origin=origin, additional_headers=headers, proxy=None, open_timeout=SHOWS_WITHIN_S) as socket:
        yield socket


def _shows(socket: ClientConnection, emitted: Emitted) -> bool:
    deadline = time.monotonic() + POINT_WITHIN_S
    while (left := deadline - time.monotonic()) > 0:
        with contextlib.suppress(TimeoutError):
            points = json.loads(socket.recv(timeout=left))["points"]
            if any(point["machine"] == emitted.machine and point["t"] == emitted.end_ms for point in points):
                return True
    return False


def wait(condition: Callable[[], bool], within_s: float, otherwise: str) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise CheckFailed(f"{otherwise} (waited {within_s:.0f} s)")
        time.sleep(0.25)


def _expect(holds: bool, otherwise: str) -> None:
    if not holds:
        raise CheckFailed(otherwise)
