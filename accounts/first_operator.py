"""How the first operator comes in: a link that is good once and for an hour, printed to whoever may run commands on the server.

There is no account from the start and no password on a command line; the link opens the page that sets one.
"""

from django.contrib.auth.tokens import default_token_generator
from django.db import transaction
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from accounts.audit import record
from accounts.models import User


class NotFirst(ValueError):
    """Somebody is there already."""


@transaction.atomic
def invite(email: str) -> str:
    """Make the first superuser and return the path of their link. Raise NotFirst once a superuser has set a password.

    Until then it may be asked for again, for the same address or another; who did not come in loses the powers.
    """
    superusers = list(User.objects.select_for_update().filter(is_superuser=True))
    if any(user.has_usable_password() for user in superusers):
        raise NotFirst("There is an operator already. They add others in the admin, under Users.")
    user = User.objects.filter(email=email.lower()).first() or User.objects.create_user(email)
    if user.has_usable_password():
        raise NotFirst(f"{user} has an account with a password. Choose another address.")
    User.objects.filter(pk__in=[other.pk for other in superusers]).update(is_superuser=False, is_staff=False)
    user.is_staff = user.is_superuser = True
    user.save(update_fields=["is_staff", "is_superuser"])
    record("operator.invited", f"person:{user.pk}")
    uid = urlsafe_base64_encode(force_bytes(user.pk))
    return reverse("password-new", kwargs={"uidb64": uid, "token": default_token_generator.make_token(user)})
