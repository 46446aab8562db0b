"""Quantities in templates: from base units to the unit on display, written as the customer of the page writes numbers."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from django import template
from django.template import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext_noop
from django.utils.translation import gettext as _

from accounts import formats
from accounts.templatetags.words import minute_words, reader_of
from usage.fleet import State
from usage.heat import Cell, Heat
from usage.meters import METERS
from usage.periods import Period
from usage.periods import from_ms as instant_of
from usage.ranges import GROUPS, STEPS, Selection
from usage.units import short_unit

register = template.Library()
# Of each state: how it looks, what it is called, and whether scripts change it.
STATES = {
    State.REPORTING: ("ok", gettext_noop("Reporting"), True),
    State.LATE: ("late", gettext_noop("Late"), True),
    State.SILENT: ("silent", gettext_noop("Silent"), True),
    State.WAITING: ("open", gettext_noop("No sample yet"), True),
    State.RETIRED: ("void", gettext_noop("Retired"), False),
}


@register.simple_tag(takes_context=True)
def quantity(context: Context, base: int | None, meter: str, digits: int = 3) -> SafeString:
    """A quantity of a meter in its display unit, the plain number in `value` for charts and scripts. None is a hole."""
    return _data(base, meter, digits, reader_of(context).locale) if base is not None else _no_data(get_language())


@lru_cache(maxsize=16_384)  # A week by the hour and machine has thousands, nearly all of them again at the next look.
def _data(base: int, meter: str, digits: int, locale: str) -> SafeString:
    plain = formats.decimal_of(Fraction(base, METERS[meter].per_unit), digits)
    return format_html('<data value="{}">{}</data>', plain, formats.number(plain, digits, locale))


@lru_cache(maxsize=8)
def _no_data(language: str | None) -> SafeString:
    return format_html('<data value="">{}</data>', _("no data"))


@register.simple_tag(takes_context=True)
def quantity_words(context: Context, base: int, meter: str, digits: int = 3) -> str:
    """A quantity with its unit and without markup, for labels."""
    plain = formats.decimal_of(Fraction(base, METERS[meter].per_unit), digits)
    return f"{formats.number(plain, digits, reader_of(context).locale)} {short_unit(METERS[meter].unit)}"


@register.simple_tag(takes_context=True)
def gib(context: Context, mib: int) -> str:
    """An amount of memory in GiB."""
    return formats.quantity(mib, 1024, 1, reader_of(context).locale)


@register.simple_tag(takes_context=True)
def average(context: Context, base: int, over: int, digits: int = 2) -> str:
    """A quantity spread over a time, such as core-milliseconds over milliseconds: how many on average."""
    return formats.quantity(base, over, digits, reader_of(context).locale)


@register.simple_tag
def chart_label(meter: str, selected: Selection) -> str:
    """What a chart of the explorer shows: a meter, by what, in which steps."""
    parts = {"meter": meter_name(meter), "group": _(GROUPS[selected.group]), "step": _(STEPS[selected.step])}
    return (_("%(meter)s, by: %(step)s") if selected.group == "meter" else _("%(meter)s, by: %(group)s, %(step)s")) % parts


@register.simple_tag(takes_context=True)
def heat_label(context: Context, meter: str, heat: Heat) -> str:
    """What a heat map shows, and where it is hottest."""
    text = _("%(meter)s by local hour of each day") % {"meter": meter_name(meter)}
    if heat.busiest is None:
        return text
    most = {"when": minute_words(context, heat.busiest.start), "quantity": quantity_words(context, heat.most, meter)}
    return text + _("; the busiest hour began on %(when)s with %(quantity)s") % most


@register.simple_tag
def heat_cells(cells: Sequence[Cell | None]) -> SafeString:
    """The squares of a day in a heat map; written here because a month has seven hundred."""
    return SafeString("".join(_square(cell) for cell in cells if cell))  # Numbers and shades of our own, no text.


def _square(cell: Cell) -> str:
    looks = 'class="no-data"' if cell.value is None else f'fill-opacity="{cell.opacity}"'
    return f'<rect {looks} x="{cell.x}" y="{cell.y}" width="20" height="20" rx="2"/>'


@register.simple_tag
def state(of: State) -> SafeString:
    """Whether a machine reports, as a mark and a word."""
    return _state(State(of), get_language())


@lru_cache(maxsize=32)
def _state(of: State, language: str | None) -> SafeString:
    look, words, scripted = STATES[of]
    return format_html('<span class="state state-{}"{}>{}</span>', look, SafeString(" data-state") if scripted else "", _(words))


@register.filter
def unit(meter: str) -> str:
    """The display unit of a meter, short."""
    return short_unit(METERS[meter].unit)


@register.filter
def meter_name(meter: str) -> str:
    """A meter in words."""
    return _(METERS[meter].name)


@register.filter
def from_ms(ms: int) -> datetime:
    """An epoch millisecond as an instant."""
    return instant_of(ms)


@register.filter
def whole(measured: float) -> int:
    """A measurement without its decimals."""
    return round(measured)


@register.filter
def decimal(measured: float) -> Decimal:
    """A measurement as the decimal it is read as."""
    return Decimal(repr(measured))


@register.filter
def beside(values: Sequence[int | None], windows: Sequence[Period]) -> list[tuple[Period, int | None]]:
    """Each window with its value."""
    return list(zip(windows, values, strict=True))
