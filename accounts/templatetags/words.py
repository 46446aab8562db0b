"""Numbers and moments in templates, written as the customer of the page writes them.

An invoice speaks as it was issued: a page that sets `written_for` to one gets its locale and zone instead.
"""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Protocol, cast
from zoneinfo import ZoneInfo

from django import template
from django.template import Context
from django.utils.html import format_html, json_script
from django.utils.safestring import SafeString
from django.utils.timezone import now
from django.utils.translation import get_language_bidi
from django.utils.translation import gettext as _

from accounts import formats, script_words

register = template.Library()
WHOLE = Fraction(999, 1000)
# By what a browser says of itself, in this order: most of them say that they are the others, too.
BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
SYSTEMS = (
    ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"), ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


class Reader(Protocol):
    """Whoever a page is written for: a customer, or an invoice that copied its customer."""

    locale: str
    timezone: str
    currency: str


def reader_of(context: Context) -> Reader:
    """Return whom this page is written for."""
    return cast(Reader, context.get("written_for") or context["customer"])


@register.simple_tag(takes_context=True)
def number(context: Context, value: Decimal | int, digits: int = 0) -> str:
    """A number with so many decimals."""
    return formats.number(value, digits, reader_of(context).locale)


@register.simple_tag(takes_context=True)
def percent(context: Context, share: Fraction, digits: int = 0) -> str:
    """A share of one, as a percentage."""
    return formats.percent(share, digits, reader_of(context).locale)


@register.simple_tag(takes_context=True)
def share(context: Context, part: Fraction) -> str:
    """A share of one as a percentage, rounded half up, so that parts look like the whole they make."""
    return formats.number(formats.decimal_of(part * 100, 1), 1, reader_of(context).locale) + "\u00a0%"


@register.simple_tag(takes_context=True)
def day(context: Context, instant: datetime, skeleton: str = "yMMMd") -> SafeString:
    """The local day of an instant."""
    reader = reader_of(context)
    return _time(instant, formats.day(instant, ZoneInfo(reader.timezone), reader.locale, skeleton))


@register.simple_tag(takes_context=True)
def minute(context: Context, instant: datetime, skeleton: str = "MMMd") -> SafeString:
    """The local day and time of day of an instant."""
    reader = reader_of(context)
    return _time(instant, formats.minute(instant, ZoneInfo(reader.timezone), reader.locale, skeleton))


@register.simple_tag(takes_context=True)
def day_words(context: Context, instant: datetime, skeleton: str = "yMMMd") -> str:
    """The local day of an instant without markup, for labels and pictures."""
    reader = reader_of(context)
    return formats.day(instant, ZoneInfo(reader.timezone), reader.locale, skeleton)


@register.simple_tag(takes_context=True)
def minute_words(context: Context, instant: datetime, skeleton: str = "MMMd") -> str:
    """The local day and time of day of an instant without markup, for labels."""
    reader = reader_of(context)
    return formats.minute(instant, ZoneInfo(reader.timezone), reader.locale, skeleton)


@register.simple_tag(takes_context=True)
def change(context: Context, share: Fraction) -> str:
    """A change as a percentage with its sign."""
    sign = "+" if share > 0 else formats.MINUS if share < 0 else ""
    return sign + formats.number(formats.decimal_of(abs(share) * 100, 1), 1, reader_of(context).locale) + "\u00a0%"


@register.simple_tag(takes_context=True)
def clock(context: Context, instant: datetime) -> SafeString:
    """The local time of day of an instant, to the second."""
    return _time(instant, formats.time_of_day(instant, ZoneInfo(reader_of(context).timezone)))


@register.simple_tag(takes_context=True)
def span(context: Context, start: datetime, end: datetime) -> str:
    """The local days of [start, end), with the last day that belongs to it."""
    reader = reader_of(context)
    return formats.span(start, end, ZoneInfo(reader.timezone), reader.locale)


@register.simple_tag(takes_context=True)
def ago(context: Context, instant: datetime) -> SafeString:
    """How long ago an instant was; the instant itself in the title, and for scripts in `datetime`."""
    reader = reader_of(context)
    zone = ZoneInfo(reader.timezone)
    exactly = f"{formats.day(instant, zone, reader.locale)}, {formats.time_of_day(instant, zone)} {reader.timezone}"
    words = formats.ago(int((now() - instant).total_seconds()))
    return format_html('<time datetime="{}" title="{}" data-ago>{}</time>', instant.isoformat(), exactly, words)


@register.simple_tag(takes_context=True)
def zone(context: Context) -> SafeString:
    """The zone in which days are counted, explained on hover."""
    reader = reader_of(context)
    words = formats.zone_words(ZoneInfo(reader.timezone), now(), reader.locale)
    title = _("%(zone)s: the zone your periods and days are counted in") % {"zone": words}
    return format_html('<abbr title="{}">{}</abbr>', title, reader.timezone)


@register.simple_tag
def plain_percent(share: Fraction) -> str:
    """A share of one for an SVG attribute: percent with one decimal, in no locale."""
    return str(formats.decimal_of(share * 100, 1))


@register.simple_tag
def page_direction() -> str:
    """Which way the page's words run."""
    return "rtl" if get_language_bidi() else "ltr"


@register.simple_tag
def words_of_scripts() -> SafeString | str:
    """What scripts say in the page's language, as data that runs nothing; nothing on an English page."""
    said = script_words.catalogue()
    return json_script(said, "words") if said else ""


@register.filter
def page_language(locale: str) -> str:
    """The language of the page's words for a reader of that locale, as HTML writes it."""
    return formats.word_locale(locale or "").replace("_", "-")


@register.simple_tag(takes_context=True)
def coverage(context: Context, share: Fraction | None) -> SafeString:
    """How much was metered, marked where more was missed than the odd second: three quarters of an hour in a month."""
    if share is None:
        return SafeString('<span class="faint">–</span>')
    mark = SafeString(' class="warn"') if share < WHOLE else ""
    return format_html("<span{}>{}</span>", mark, formats.percent(share, 2, reader_of(context).locale))


@register.filter
def browser_words(agent: str) -> str:
    """A browser by the names that people know, as far as it says them: "Firefox on Windows"."""
    browser, system = (next((words for mark, words in known if mark in agent), "") for known in (BROWSERS, SYSTEMS))
    return _("%(browser)s on %(system)s") % {"browser": browser, "system": system} if browser and system else agent[:60]


def _time(instant: datetime, text: str) -> SafeString:
    return format_html('<time datetime="{}">{}</time>', instant.isoformat(), text)
