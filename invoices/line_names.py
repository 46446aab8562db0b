"""What the product adds to the name that a price was given, on a correction and on a true-up, in the language that is active."""

from django.utils.translation import gettext as _

from invoices.rating import UP_TO_MINIMUM, Line


def line_name(line: Line) -> str:
    """The name of a line as an invoice prints it; what people named stays as it is."""
    if line.kind == "minimum_true_up" and line.name.endswith(UP_TO_MINIMUM):
        return _("%(name)s, up to the minimum") % {"name": line.name.removesuffix(UP_TO_MINIMUM)}
    return line.name


def corrected(line: Line, period: str) -> str:
    """The name of a line that corrects an earlier period."""
    return _("%(name)s, correction for %(period)s") % {"name": line_name(line), "period": period}


def taken_off(name: str) -> str:
    """The name of a line that gives back what a later invoice has charged."""
    return _("%(name)s, billed already") % {"name": name}
