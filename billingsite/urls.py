"""Every address of the product."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from accounts import notice_views as notices
from accounts import passkey_views as keyring
from accounts import password_views as passwords
from accounts import second_factor_views as factors
from accounts import settings_views as doors
from accounts import webhook_views as hooks
from accounts.company_views import company_set
from accounts.viewing import viewing_end
from accounts.views import SignIn, SignOut
from billingsite.dashboard import fleet_json
from billingsite.health import healthz, readyz
from billingsite.metrics import metrics
from billingsite.schedules import schedules
from invoices import files_views as files
from invoices import views as invoices
from usage import agent_views as agents
from usage import machine_views as joining
from usage import views as usage

urlpatterns: list[URLPattern | URLResolver] = [
    path("", invoices.overview, name="overview"),
    path("cost.json", invoices.cost_json, name="cost"),
    path("machines/", invoices.machines, name="machines"),
    path("machines/new/", joining.machine_new, name="machine-new"),
    path("machines/<slug:code>/", invoices.machine, name="machine"),
    path("machines/<slug:code>/agent/", agents.agent, name="machine-agent"),
    path("machines/<slug:code>/agent/token/", agents.agent_token, name="machine-agent-token"),
    path("machines/<slug:code>/agent/token/<int:pk>/withdraw/", agents.agent_token_withdraw, name="machine-agent-token-withdraw"),
    path("machines/<slug:code>/agent/wish/", agents.agent_wish, name="machine-agent-wish"),
    path("machines/<slug:code>/agent/revoke/", agents.agent_revoke, name="machine-agent-revoke"),
    path("usage/", usage.usage, name="usage"),
    path("usage/usage.csv", usage.usage_csv, name="usage-csv"),
    path("usage/recent.json", usage.recent_json, name="usage-recent"),
    path("invoices/", invoices.invoices, name="invoices"),
    path("invoices/preview/", invoices.preview, name="invoice-preview"),
    path("invoices/drafts/<int:pk>/", invoices.draft, name="invoice-draft"),
    path("invoices/<slug:number>/", invoices.invoice, name="invoice"),
    path("invoices/<slug:number>.pdf", invoices.invoice_pdf, name="invoice-pdf"),
    path("invoices/<slug:number>.csv", invoices.invoice_csv, name="invoice-csv"),
    path("invoices/<slug:number>.<slug:suffix>", files.invoice_file, name="invoice-file"),
    path("credit-notes/<slug:note>.<slug:suffix>", files.credit_note_file, name="credit-note-file"),
    path("plan/", invoices.plan, name="plan"),
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
    path("sign-in/code/", factors.code, name="code"),
    path("sign-in/passkey/", keyring.sign_in, name="passkey-sign-in"),
    path("passkey/challenge/", keyring.challenge, name="passkey-challenge"),
    path("confirm/passkey/", keyring.confirm, name="passkey-confirm"),
    path("settings/passkeys/", keyring.overview, name="passkeys"),
    path("settings/passkeys/options/", keyring.options, name="passkey-options"),
    path("settings/passkeys/new/", keyring.new, name="passkey-new"),
    path("settings/passkeys/<int:pk>/rename/", keyring.rename, name="passkey-rename"),
    path("settings/passkeys/<int:pk>/remove/", keyring.remove, name="passkey-remove"),
    path("settings/two-step/", factors.two_step, name="two-step"),
    path("settings/two-step/remove/", factors.two_step_remove, name="two-step-remove"),
    path("viewing/end/", viewing_end, name="viewing-end"),
    path("confirm/", doors.confirm, name="confirm"),
    path("settings/", doors.overview, name="settings"),
    path("settings/person/", notices.person_set, name="person-set"),
    path("settings/budget/", notices.budget_set, name="budget-set"),
    path("notices/", notices.notice_list, name="notices"),
    path("notices/unseen.json", notices.notices_json, name="notices-unseen"),
    path("settings/keys/", doors.keys, name="keys"),
    path("settings/keys/new/", doors.key_new, name="key-new"),
    path("settings/keys/<int:pk>/rotate/", doors.key_rotate, name="key-rotate"),
    path("settings/keys/<int:pk>/revoke/", doors.key_revoke, name="key-revoke"),
    path("settings/webhooks/", hooks.endpoints, name="webhooks"),
    path("settings/webhooks/new/", hooks.endpoint_new, name="webhook-new"),
    path("settings/webhooks/<int:pk>/", hooks.endpoint, name="webhook"),
    path("settings/webhooks/<int:pk>/change/", hooks.endpoint_change, name="webhook-change"),
    path("settings/webhooks/<int:pk>/rotate/", hooks.endpoint_rotate, name="webhook-rotate"),
    path("settings/webhooks/<int:pk>/test/", hooks.endpoint_test, name="webhook-test"),
    path("settings/webhooks/<int:pk>/remove/", hooks.endpoint_remove, name="webhook-remove"),
    path("settings/webhooks/<int:pk>/deliveries/<int:delivery>/again/", hooks.redeliver, name="webhook-redeliver"),
    path("settings/company/", company_set, name="company-set"),
    path("settings/members/", doors.member_set, name="member-set"),
    path("settings/members/<int:pk>/remove/", doors.member_remove, name="member-remove"),
    path("settings/sessions/<int:pk>/end/", doors.session_end, name="session-end"),
    path("settings/password/", passwords.Change.as_view(), name="password-change"),
    path("password/", passwords.Lost.as_view(), name="password-lost"),
    path("password/sent/", passwords.Sent.as_view(), name="password-sent"),
    path("password/<uidb64>/<token>/", passwords.New.as_view(), name="password-new"),
    path("admin/fleet.json", admin.site.admin_view(fleet_json), name="admin-fleet"),
    path("admin/schedules/", admin.site.admin_view(schedules), name="admin-schedules"),
    path("admin/", admin.site.urls),
    path("api/", include("billingsite.api_urls")),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler500 = "accounts.views.server_error"
