"""The operator's desk for money: plans with their versions and prices, subscriptions, invoices."""

from django.contrib import admin

from invoices.books_admin import CreditNoteAdmin, DiscountAdmin, LedgerAdmin, OneOffAdmin, RunAdmin, TaxRateAdmin
from invoices.invoice_admin import InvoiceAdmin
from invoices.models import (
    CreditNote,
    Discount,
    Invoice,
    InvoiceRun,
    LedgerEntry,
    OneOffItem,
    PlanVersion,
    Price,
    RatePlan,
    SpotPrice,
    Subscription,
    TaxRate,
)
from invoices.plan_admin import PlanAdmin, PriceAdmin, SubscriptionAdmin, VersionAdmin
from invoices.spot_admin import SpotPriceAdmin

admin.site.register(RatePlan, PlanAdmin)
admin.site.register(PlanVersion, VersionAdmin)
admin.site.register(Price, PriceAdmin)
admin.site.register(Subscription, SubscriptionAdmin)
admin.site.register(SpotPrice, SpotPriceAdmin)
admin.site.register(Invoice, InvoiceAdmin)
admin.site.register(CreditNote, CreditNoteAdmin)
admin.site.register(LedgerEntry, LedgerAdmin)
admin.site.register(InvoiceRun, RunAdmin)
admin.site.register(Discount, DiscountAdmin)
admin.site.register(OneOffItem, OneOffAdmin)
admin.site.register(TaxRate, TaxRateAdmin)
