"""Every page of the portal, for the tests that look at all of them."""

PAGES = (
    "/",
    "/usage/",
    "/usage/?group=meter",
    "/usage/?range=last-month&step=hour&compare=previous",
    "/usage/?range=last-12-months&picture=line&group=class",
    "/usage/?range=last-month&picture=heat",
    "/machines/",
    "/machines/new/",
    "/machines/web-1/",
    "/machines/web-1/agent/",
    "/invoices/",
    "/invoices/preview/",
    "/plan/",
    "/settings/",
    "/notices/",
    "/settings/keys/",
    "/settings/passkeys/",
    "/settings/webhooks/",
    "/settings/password/",
)
# What has an address and is no page of a signed-in member, or is looked at elsewhere in these tests.
ELSEWHERE = {
    "sign-in", "sign-out", "confirm", "password-lost", "password-sent", "password-new", "code", "two-step",  # doors
    "invoice", "invoice-draft",  # named by a number
    "cost", "usage-recent", "usage-csv", "invoice-pdf", "invoice-csv", "invoice-file", "credit-note-file",  # data, files
    "notices-unseen", "healthz", "readyz", "metrics", "admin-fleet", "admin-schedules",  # programs, administration
    "machine-agent-token", "machine-agent-token-withdraw", "machine-agent-wish", "machine-agent-revoke",  # POST alone
    "key-new", "key-rotate", "key-revoke", "member-set", "member-remove", "session-end", "person-set", "budget-set",
    "passkey-challenge", "passkey-sign-in", "passkey-confirm", "passkey-options", "passkey-new", "passkey-rename",
    "passkey-remove",
    "company-set", "viewing-end", "two-step-remove",
    "webhook", "webhook-new", "webhook-change", "webhook-rotate", "webhook-test", "webhook-remove", "webhook-redeliver",
}  # fmt: skip
