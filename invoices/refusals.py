"""Why the books refuse something: one error for all of their writers."""


class BillingError(ValueError):
    """Why an invoice cannot be made, paid, credited or voided, as a sentence for the operator."""
