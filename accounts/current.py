"""Which customer a portal page is about: `?customer=CODE` chooses, the session remembers, the access rule decides."""

from django.http import Http404, HttpRequest
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from accounts.access import customer_or_404, may_see_fleet, visible_customers
from accounts.models import Customer, User

SESSION_KEY = "customer"
KNOWN = "_current_customer"  # On the request.


def current_customer(request: HttpRequest) -> Customer:
    """Return the page's customer and remember it. Raise Http404 for one that the reader may not see.

    The view and the menu both ask: a request looks once.
    """
    found: Customer | None = getattr(request, KNOWN, None)
    if found is None:
        found = _found(request)
        setattr(request, KNOWN, found)
    return found


def _found(request: HttpRequest) -> Customer:
    asked = request.GET.get("customer")
    if asked:
        customer = customer_or_404(request.user, asked)
        request.session[SESSION_KEY] = customer.code
        return customer
    return _remembered(request) or customer_or_404(request.user)


def turn_to(request: HttpRequest, customer: Customer) -> Customer:
    """Make a customer the page's one, because what the address names belongs to it. The caller has checked the right to see."""
    request.session[SESSION_KEY] = customer.code
    setattr(request, KNOWN, customer)
    return customer


def home_of(user: User) -> str:
    """Where somebody belongs who has just signed in."""
    if may_see_fleet(user) and not visible_customers(user).exists():
        return reverse("admin:index")
    return reverse("overview")


def way_on(request: HttpRequest, user: User, wanted: str) -> str:
    """Where somebody goes who has just signed in: to the page they came for, if it is one of this site."""
    safe = url_has_allowed_host_and_scheme(wanted, {request.get_host()}, require_https=request.is_secure())
    return wanted if safe and wanted else home_of(user)


def current_customer_or_none(request: HttpRequest) -> Customer | None:
    """The same where a page can do without, such as an error page."""
    try:
        return current_customer(request)
    except Http404:
        return None


def _remembered(request: HttpRequest) -> Customer | None:
    """The session's customer, as long as the reader may still see it."""
    code = request.session.get(SESSION_KEY)
    try:
        return customer_or_404(request.user, code) if code else None
    except Http404:
        return None
