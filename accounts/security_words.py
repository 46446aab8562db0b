"""What a person is written about their own account: that a passkey, an app or the password changed, when and from where."""

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext as _

from accounts.letters import Letter
from accounts.models import AuditEntry


def letter_of(entry: AuditEntry) -> Letter:
    """Write the mail about an entry of the audit trail. Without names, which the trail does not keep."""
    said = _said(entry.action)
    return Letter(
        subject=said,
        paragraphs=(
            _("Hello,"),
            f"{said}.",
            _("If it was you, nothing is left to do. If it was not, change your password at once and tell your operator."),
        ),
        facts=((_("When (UTC)"), f"{entry.at:%Y-%m-%d %H:%M}"), (_("Address"), entry.address or "-")),
        link=(_("See how you sign in"), f"{settings.SITE_URL}{reverse('settings')}"),
    )


def _said(action: str) -> str:
    match action:
        case "passkey.added":
            return _("A passkey was added to your account")
        case "passkey.removed":
            return _("A passkey was removed from your account")
        case "second-factor.added":
            return _("An authenticator app was added to your account")
        case "second-factor.removed":
            return _("The authenticator app was removed from your account")
        case _other:
            return _("The password of your account was changed")
