"""What a password must not be, beyond Django's own rules."""

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts.models import User

MOST = 128  # Hashing more costs the server and adds nothing.
WORDS = ("corehour", "kafka", "billing", "invoice", "password", "passwort")


class MostLengthValidator:
    """No longer than a person would paste."""

    def validate(self, password: str, user: User | None = None) -> None:
        if len(password) > MOST:
            raise ValidationError(_("Use at most %(most)d characters.") % {"most": MOST}, code="password_too_long")

    def get_help_text(self) -> str:
        return _("At most %(most)d characters, of any kind.") % {"most": MOST}


class ProductWordsValidator:
    """A guesser knows where they are, so words of this place count for nothing."""

    def validate(self, password: str, user: User | None = None) -> None:
        rest = password.lower()
        for word in WORDS:
            rest = rest.replace(word, "")
        if len(rest) < 8:
            raise ValidationError(_("Without words like “corehour” too little is left."), code="password_of_this_place")

    def get_help_text(self) -> str:
        return _("Words of this product do not count.")
