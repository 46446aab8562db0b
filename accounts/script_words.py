"""What the portal's scripts say, in English: pages in another language bring the translations. A test compares with static/."""

from django.utils.translation import gettext, gettext_noop

WORDS = (
    gettext_noop(", forecast"),
    gettext_noop(", {from} to {to}. {middle}; highest {high}; lowest {low}; latest {latest}. Series: {names}."),
    gettext_noop("Average {value}"),
    gettext_noop("Connecting"),
    gettext_noop("Copied"),
    gettext_noop("Late"),
    gettext_noop("Live"),
    gettext_noop("Memory"),
    gettext_noop("No longer yours to see"),
    gettext_noop("No new data"),
    gettext_noop("No passkey was used."),
    gettext_noop("No usage in this range."),
    gettext_noop("Not allowed"),
    gettext_noop("Not reached"),
    gettext_noop("Passkeys do not work here."),
    gettext_noop("Pause"),
    gettext_noop("Paused"),
    gettext_noop("Period before"),
    gettext_noop("Reconnecting"),
    gettext_noop("Reporting"),
    gettext_noop("Resume"),
    gettext_noop("Selected"),
    gettext_noop("Signed out"),
    gettext_noop("Silent"),
    gettext_noop("Table"),
    gettext_noop("The data could not be loaded."),
    gettext_noop("The hourly rate shows after the first full hour."),
    gettext_noop("This device has a passkey of yours already."),
    gettext_noop("Time"),
    gettext_noop("Total"),
    gettext_noop("Total {value}"),
    gettext_noop("Too many attempts, or no connection. Wait a little."),
    gettext_noop("Try again"),
    gettext_noop("Usage"),
    gettext_noop("and {count} more"),
    gettext_noop("at"),
    gettext_noop("last point"),
    gettext_noop("loading"),
    gettext_noop("no data"),
    gettext_noop("period before {value}"),
    gettext_noop("since"),
    gettext_noop("total {value}"),
    gettext_noop("updated"),
    gettext_noop("{amount} in the last full hour."),
    gettext_noop("{count} lines; point at one to follow it"),
    gettext_noop("{days} d {hours} h ago"),
    gettext_noop("{hours} h {minutes} min ago"),
    gettext_noop("{label}, table"),
    gettext_noop("{minutes} min ago"),
    gettext_noop("{seconds} s ago"),
    gettext_noop("{value} at {time}"),
)


def catalogue() -> dict[str, str]:
    """Return what differs from English in the language that is active."""
    said = {word: gettext(word) for word in WORDS}
    return {word: text for word, text in said.items() if word != text}
