"""The operator's desk for money: plans with their versions and prices, subscriptions, invoices."""

from django.contrib import admin

from invoices.invoice_admin import InvoiceAdmin
from invoices.models import Invoice, PlanVersion, Price, RatePlan, Subscription
from invoices.plan_admin import PlanAdmin, PriceAdmin, SubscriptionAdmin, VersionAdmin

admin.site.register(RatePlan, PlanAdmin)
admin.site.register(PlanVersion, VersionAdmin)
admin.site.register(Price, PriceAdmin)
admin.site.register(Subscription, SubscriptionAdmin)
admin.site.register(Invoice, InvoiceAdmin)
