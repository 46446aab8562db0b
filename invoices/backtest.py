"""Past months under a draft: what each customer would have paid, by the invoice's own rater. Reads only, stores nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from accounts.models import Customer
from invoices.catalogue import LONG_AGO, contracts
from invoices.gather import CurrencyError, billing_period, check_currency, parts_of
from invoices.money import amount_text, rounded_text
from invoices.parts import Contract, NoPriceError, Slice, slices
from invoices.rating import Line, rate
from invoices.terms import VersionTerms
from usage.periods import Period

MOST_MONTHS = 36


@dataclass(frozen=True, slots=True)
class Tried:
    """One month of one customer: the sum of its lines at the prices in force, and under the draft. Before discounts and tax."""

    customer: Customer
    period: Period
    before_minor: int
    after_minor: int
    lines: tuple[Line, ...] = ()
    problem: str = ""

    @property
    def difference_minor(self) -> int:
        """What the customer would pay more; below zero, less."""
        return self.after_minor - self.before_minor

    @property
    def difference(self) -> str:
        """The same as a decimal string with its sign."""
        sign = "+" if self.difference_minor > 0 else ""
        return sign + amount_text(self.difference_minor, self.customer.currency)

    @property
    def percent(self) -> str:
        """The same in percent of what is paid today, where anything is."""
        if not self.before_minor:
            return ""
        share = Fraction(100 * self.difference_minor, self.before_minor)
        return ("+" if share > 0 else "") + rounded_text(share, 1)

    @property
    def month(self) -> str:
        """The month in the customer's zone."""
        return f"{self.period.start.astimezone(self.customer.zone):%Y-%m}"

    @property
    def before(self) -> str:
        """What is paid today."""
        return amount_text(self.before_minor, self.customer.currency)

    @property
    def after(self) -> str:
        """What would be paid."""
        return amount_text(self.after_minor, self.customer.currency)


def past_months(customer: Customer, months: int, at: datetime) -> list[Period]:
    """Return the last closed months of a customer, oldest first."""
    periods: list[Period] = []
    start = billing_period(customer, at).start
    while len(periods) < months:
        period = billing_period(customer, start - timedelta(hours=1))
        periods.append(period)
        start = period.start
    return periods[::-1]


def backtest(draft: VersionTerms, customers: Sequence[Customer], months: int, at: datetime) -> Iterator[Tried]:
    """Yield each month of each customer, under today's prices and under the draft."""
    for customer in customers:
        for period in past_months(customer, months, at):
            yield try_month(draft, customer, period)


def try_month(draft: VersionTerms, customer: Customer, period: Period) -> Tried:
    """Rate one month twice. What cannot be priced is told as a problem, not raised: the others go on."""
    try:
        agreed = contracts(customer, period)
        today = slices(agreed, period)
        check_currency(today, customer.currency)
        tried = slices(_under(draft, agreed, period), period)
        check_currency(tried, customer.currency)
        before, after = _lines(customer, today, period), _lines(customer, tried, period)
    except (NoPriceError, CurrencyError, ValueError) as error:
        return Tried(customer, period, 0, 0, problem=str(error))
    return Tried(customer, period, _sum(before), _sum(after), tuple(after))


def _under(draft: VersionTerms, agreed: Sequence[Contract], period: Period) -> list[Contract]:
    """The customer's contracts with the draft in place of its own plan's versions; of whatever they have, where that is none."""
    version = replace(draft, effective_from=LONG_AGO)
    if any(contract.plan_code == draft.plan_code for contract in agreed):
        return [replace(one, versions=[version]) if one.plan_code == draft.plan_code else one for one in agreed]
    start = min((contract.start for contract in agreed), default=period.start)
    ends = [contract.end for contract in agreed]
    end = None if None in ends or not ends else max(end for end in ends if end is not None)
    return [Contract(draft.plan_code, start, end, [version])]


def _lines(customer: Customer, pieces: Sequence[Slice], period: Period) -> list[Line]:
    return rate(parts_of(customer, pieces), period, customer.zone)


def _sum(lines: Sequence[Line]) -> int:
    return sum(line.amount_minor for line in lines)


@dataclass(slots=True)
class Tally:
    """Who would pay more and who less, over all months of each customer that could be priced."""

    more: int = 0
    less: int = 0
    same: int = 0
    unpriced: int = 0

    def add(self, months: Sequence[Tried]) -> None:
        """Count one customer."""
        if any(month.problem for month in months):
            self.unpriced += 1
            return
        difference = sum(month.difference_minor for month in months)
        self.more += difference > 0
        self.less += difference < 0
        self.same += difference == 0

    def __str__(self) -> str:
        text = f"{self.more} would pay more, {self.less} less, {self.same} the same"
        return f"{text}; {self.unpriced} could not be priced" if self.unpriced else text
