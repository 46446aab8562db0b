"""The running cost, pushed while usage comes in: the same estimate as on the page, in the API and on the invoice."""

import asyncio
import logging
from typing import Any

from accounts import wall
from accounts.guarded import CustomerSocket
from invoices.gather import CurrencyError
from invoices.parts import NoPriceError
from invoices.running import CostMeter
from usage.live import customer_group

log = logging.getLogger(__name__)


class CostSocket(CustomerSocket):
    """`/ws/cost/?customer=CODE`: the cost so far at once, and then after new usage, at most every two seconds."""

    meter = CostMeter()
    sending: asyncio.Task[None] | None = None
    behind = False

    def group_of(self) -> str:
        return customer_group(self.customer.pk)

    async def connect(self) -> None:
        await super().connect()
        if self.group:
            self.hear({})

    async def disconnect(self, code: int) -> None:
        if self.sending:
            self.sending.cancel()
        await super().disconnect(code)

    def hear(self, event: dict[str, Any]) -> None:
        """Usage was stored: what the page shows is behind, until a rating that begins after this is sent."""
        self.behind = True
        if self.sending is None or self.sending.done():
            self.sending = asyncio.create_task(self._keep_up())

    async def _keep_up(self) -> None:
        wall.asks("person", self.user_pk)  # It was woken by the hub, on behalf of nobody in particular.
        try:
            while self.behind:
                self.behind = False
                await self.send_json(await self.meter.soon(self.customer.pk))
        except (NoPriceError, CurrencyError) as error:
            log.warning("No running cost for %s: %s", self.customer.code, error)
