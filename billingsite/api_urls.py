"""The addresses below /api/."""

from django.urls import URLPattern, path, re_path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView

from accounts.api import CustomerList, NoSuchPage
from accounts.people_api import AuditList, CustomerDetail, KeyDetail, KeyList, MemberDetail, MemberList
from accounts.webhook_api import (
    WebhookDeliveries,
    WebhookDetail,
    WebhookList,
    WebhookRedeliver,
    WebhookRotate,
    WebhookTest,
)
from invoices.api import InvoiceCsv, InvoiceDetail, InvoiceList, InvoicePdf, PlanList, RunningCost
from invoices.books_api import InvoiceFile, InvoicePayments, InvoiceUbl, WalletDetail
from invoices.credit_notes_api import CreditNoteCsv, CreditNoteDetail, CreditNotePdf, CreditNoteUbl, CreditNoteXml
from invoices.quote_api import BareQuotes, Quotes
from invoices.spot_api import SpotPrices
from invoices.subscriptions_api import SubscriptionDetail, SubscriptionList
from usage.agent_api import ChangeKey, Enrol, Forward, Sync
from usage.api import MachineDetail, MachineList, MachineWatermark, SampleList, UsageReport
from usage.completeness_api import MachineCompleteness
from usage.rejected_api import (
    RejectedCounts,
    RejectedDetail,
    RejectedDiscard,
    RejectedFix,
    RejectedList,
    RejectedMany,
    RejectedReplay,
)
from usage.token_api import TokenDetail, TokenList

urlpatterns: list[URLPattern] = [
    path("schema/", SpectacularAPIView.as_view(authentication_classes=[]), name="api-schema"),
    path("docs/", SpectacularSwaggerView.as_view(url_name="api-schema", authentication_classes=[]), name="api-docs"),
    path("v1/customers/", CustomerList.as_view(), name="api-customers"),
    path("v1/customers/<slug:code>/", CustomerDetail.as_view(), name="api-customer"),
    path("v1/members/", MemberList.as_view(), name="api-members"),
    path("v1/members/<int:pk>/", MemberDetail.as_view(), name="api-member"),
    path("v1/keys/", KeyList.as_view(), name="api-keys"),
    path("v1/keys/<int:pk>/", KeyDetail.as_view(), name="api-key"),
    path("v1/audit/", AuditList.as_view(), name="api-audit"),
    path("v1/webhooks/", WebhookList.as_view(), name="api-webhooks"),
    path("v1/webhooks/<int:pk>/", WebhookDetail.as_view(), name="api-webhook"),
    path("v1/webhooks/<int:pk>/rotate/", WebhookRotate.as_view(), name="api-webhook-rotate"),
    path("v1/webhooks/<int:pk>/test/", WebhookTest.as_view(), name="api-webhook-test"),
    path("v1/webhooks/<int:pk>/deliveries/", WebhookDeliveries.as_view(), name="api-webhook-deliveries"),
    path("v1/webhooks/<int:pk>/deliveries/<int:delivery>/redeliver/", WebhookRedeliver.as_view(), name="api-webhook-redeliver"),
    path("v1/machines/", MachineList.as_view(), name="api-machines"),
    path("v1/machines/<slug:code>/", MachineDetail.as_view(), name="api-machine"),
    path("v1/machines/<slug:code>/watermark", MachineWatermark.as_view(), name="api-watermark"),
    path("v1/machines/<slug:code>/completeness/", MachineCompleteness.as_view(), name="api-completeness"),
    path("v1/machines/<slug:code>/tokens/", TokenList.as_view(), name="api-tokens"),
    path("v1/machines/<slug:code>/tokens/<int:pk>/", TokenDetail.as_view(), name="api-token"),
    path("v1/usage/", UsageReport.as_view(), name="api-usage"),
    path("v1/samples/", SampleList.as_view(), name="api-samples"),
    path("v1/rejected-usage/", RejectedList.as_view(), name="api-rejected"),
    path("v1/rejected-usage/counts/", RejectedCounts.as_view(), name="api-rejected-counts"),
    path("v1/rejected-usage/<int:pk>/", RejectedDetail.as_view(), name="api-rejected-one"),
    path("v1/rejected-usage/<int:pk>/fix/", RejectedFix.as_view(), name="api-rejected-fix"),
    path("v1/rejected-usage/<int:pk>/replay/", RejectedReplay.as_view(), name="api-rejected-replay"),
    path("v1/rejected-usage/<int:pk>/discard/", RejectedDiscard.as_view(), name="api-rejected-discard"),
    path("v1/rejected-usage/<str:act>/", RejectedMany.as_view(), name="api-rejected-many"),
    path("v1/estimate/", RunningCost.as_view(), name="api-estimate"),
    path("v1/plans/", PlanList.as_view(), name="api-plans"),
    path("v1/quotes/", Quotes.as_view(), name="api-quotes"),
    path("v1/quotes", BareQuotes.as_view(), name="api-quotes-bare"),
    path("v1/invoices/", InvoiceList.as_view(), name="api-invoices"),
    path("v1/invoices/<slug:number>/", InvoiceDetail.as_view(), name="api-invoice"),
    path("v1/invoices/<slug:number>/pdf", InvoicePdf.as_view(), name="api-invoice-pdf"),
    path("v1/invoices/<slug:number>/csv", InvoiceCsv.as_view(), name="api-invoice-csv"),
    path("v1/invoices/<slug:number>/xml", InvoiceFile.as_view(), name="api-invoice-xml"),
    path("v1/invoices/<slug:number>/ubl", InvoiceUbl.as_view(), name="api-invoice-ubl"),
    path("v1/invoices/<slug:number>/payments/", InvoicePayments.as_view(), name="api-invoice-payments"),
    path("v1/credit-notes/<slug:note>/", CreditNoteDetail.as_view(), name="api-credit-note"),
    path("v1/credit-notes/<slug:note>/pdf", CreditNotePdf.as_view(), name="api-credit-note-pdf"),
    path("v1/credit-notes/<slug:note>/csv", CreditNoteCsv.as_view(), name="api-credit-note-csv"),
    path("v1/credit-notes/<slug:note>/xml", CreditNoteXml.as_view(), name="api-credit-note-xml"),
    path("v1/credit-notes/<slug:note>/ubl", CreditNoteUbl.as_view(), name="api-credit-note-ubl"),
    path("v1/spot-prices/", SpotPrices.as_view(), name="api-spot-prices"),
    path("v1/subscriptions/", SubscriptionList.as_view(), name="api-subscriptions"),
    path("v1/subscriptions/<int:pk>/", SubscriptionDetail.as_view(), name="api-subscription"),
    path("v1/wallet/", WalletDetail.as_view(), name="api-wallet"),
    path("v1/enrol/", Enrol.as_view(), name="api-enrol"),
    path("v1/agent/key/", ChangeKey.as_view(), name="api-agent-key"),
    path("v1/agent/sync/", Sync.as_view(), name="api-agent-sync"),
    path("v1/agent/messages/", Forward.as_view(), name="api-agent-messages"),
    re_path(r"", NoSuchPage.as_view(), name="api-nothing"),
]
