"""What every portal page knows: the customer it speaks of, and the others the reader could switch to."""

from typing import Any

from django.http import HttpRequest

from accounts.access import visible_customers
from accounts.current import current_customer_or_none


def current_customer(request: HttpRequest) -> dict[str, Any]:
    """Template context `customer` and `customers`; empty on the admin's and a stranger's pages."""
    if not request.user.is_authenticated or request.path.startswith("/admin/"):
        return {}
    customer = current_customer_or_none(request)
    return {
        "customer": customer,
        "customers": visible_customers(request.user).order_by("name", "pk"),
        "viewing": getattr(request.user, "viewing", None),
    }
