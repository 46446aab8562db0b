"""The second wall and the database's roles as one table: whose rows a table holds, and what web, worker and biller may do there.

Pure. billingsite/wall_sql.py makes SQL of it. Rights are letters: S select, I insert, U update, D delete, L lock a row and change
nothing. A role that is not named has no right at all.
"""

# ruff: noqa: S608 - every name in these conditions is a constant of this module
from dataclasses import dataclass

SEEN = "ANY ((SELECT string_to_array(current_setting('corehour.customers', true), ',')::bigint[])::bigint[])"
# Asked once for each statement and hashed, so that a policy costs a row no more than a look into a small set.
MACHINES = f"SELECT m.id FROM usage_machine m WHERE m.customer_id = {SEEN}"
CODES = f"SELECT m.code FROM usage_machine m WHERE m.customer_id = {SEEN}"
INVOICES = f"SELECT i.id FROM invoices_invoice i WHERE i.customer_id = {SEEN}"
ENDPOINTS = f"SELECT e.id FROM accounts_webhookendpoint e WHERE e.customer_id = {SEEN}"

OWN = f"customer_id = {SEEN}"
BY_MACHINE = f"machine_id IN ({MACHINES})"
BY_CODE = f"machine_code IN ({CODES})"
BY_INVOICE = f"invoice_id IN ({INVOICES})"


@dataclass(frozen=True, slots=True)
class Walled:
    """A table that holds customers' rows. `mine` is the condition under which a row is one of the asker's.

    `looked_at_by` are askers who read all of it. Rows for which `added` holds anybody may add, without seeing them.
    """

    name: str
    mine: str
    web: str = ""
    worker: str = ""
    biller: str = ""
    looked_at_by: tuple[str, ...] = ()
    added: str = ""


@dataclass(frozen=True, slots=True)
class Open:
    """A table without the wall, and why. `biller_columns`: what the biller may select of it, instead of all."""

    name: str
    why: str
    web: str = ""
    worker: str = ""
    biller: str = ""
    biller_columns: tuple[str, ...] = ()


WALLED = (
    Walled("accounts_customer", f"id = {SEEN}", web="SIUD", worker="S", biller="SL"),
    Walled("accounts_membership", OWN, web="SIUD", biller="S", looked_at_by=("watch",)),
    Walled("accounts_apikey", OWN, web="SIUD", biller="S"),
    # What concerns a person's own account is of no customer; nobody may know yet who they are.
    Walled("accounts_mail", OWN, web="SIUD", biller="SIU", added="customer_id IS NULL"),
    Walled("accounts_notice", OWN, web="SIUD", biller="SI"),
    Walled("accounts_noticeoccasion", OWN, web="SIUD", biller="SI"),
    Walled("accounts_webhookendpoint", OWN, web="SIUD", worker="S", biller="SU"),
    Walled("accounts_webhookevent", OWN, web="SIUD", worker="SI", biller="SID"),
    Walled("accounts_webhookdelivery", f"endpoint_id IN ({ENDPOINTS})", web="SIUD", worker="SI", biller="SIUD"),
    # Whoever fails to sign in leaves an entry too, and nobody changes one.
    Walled("accounts_auditentry", f"customer_pk = {SEEN}", web="SI", worker="SI", biller="SI", added="true"),
    Walled("usage_machine", OWN, web="SIUD", worker="SU", biller="S", looked_at_by=("metrics",)),
    Walled("usage_machinekey", BY_MACHINE, web="SIU", worker="S"),
    Walled("usage_enrolmenttoken", BY_MACHINE, web="SIUD"),
    Walled("usage_unsignedpermission", OWN, web="SIUD", worker="S"),
    Walled("usage_agentstate", BY_MACHINE, web="SIUD", worker="S", biller="S"),
    Walled("usage_agentwish", BY_MACHINE, web="SIUD"),
    # The web process stores what an operator replays; what is stored it neither changes nor takes away.
    Walled("usage_usagesample", BY_MACHINE, web="SI", worker="SI"),
    Walled("usage_usagebucket", BY_MACHINE, web="SIU", worker="SIU", biller="S"),
    Walled("usage_usageday", BY_MACHINE, web="SIU", worker="SIUD", biller="S"),
    Walled("usage_daymark", BY_MACHINE, web="SU", worker="SIUD", biller="S"),
    Walled("usage_streamrun", BY_MACHINE, web="SIUD", worker="SIUD"),
    Walled("usage_machinestream", BY_MACHINE, web="SIU", worker="SIU"),
    Walled("usage_prunedusage", BY_MACHINE, web="S", worker="S"),
    Walled("usage_rejectedmessage", BY_CODE, web="SIU", worker="SIU", looked_at_by=("metrics",)),
    Walled("usage_ingestincident", BY_CODE, web="SIU", worker="SIU", looked_at_by=("metrics",)),
    Walled("invoices_ledgerentry", OWN, web="SI", biller="SI"),
    Walled("invoices_discount", OWN, web="SIUD", biller="S"),
    Walled("invoices_oneoffitem", OWN, web="SIUD", biller="S"),
    Walled("invoices_runitem", OWN, web="S", biller="SIUD"),
    Walled("invoices_subscription", OWN, web="SIUD", biller="S"),
    Walled("invoices_invoice", OWN, web="SIUD", biller="SIUD"),
    Walled("invoices_invoiceline", BY_INVOICE, web="SIUD", biller="SIUD"),
    Walled("invoices_creditnote", BY_INVOICE, web="SI", biller="SI"),
    Walled("invoices_payment", BY_INVOICE, web="SI", biller="SI"),
    Walled("invoices_voiding", BY_INVOICE, web="SI", biller="S"),
)

PERSON = "a person's and no customer's; read before anybody is known"
HOUSE = "the house's own, and the same for every customer"
PRICE_LIST = "the price list, which customers share"
POWERS = "who of the staff may do what"
CLOCK = "what runs by the clock"

OPEN = (
    Open(
        "accounts_user",
        PERSON,
        web="SIUD",
        biller_columns=("id", "email", "name", "is_active", "is_staff", "language", "mail_about"),
    ),
    Open("accounts_secondfactor", PERSON, web="SIUD"),
    Open("accounts_passkey", PERSON, web="SIUD"),
    Open("accounts_signedinsession", PERSON, web="SIUD"),
    Open("django_session", PERSON, web="SIUD"),
    Open("accounts_attempts", "digests of what was tried; counted before anybody is known", web="SIUD"),
    Open("accounts_idempotentanswer", "sealed with the asker's own secret, and found by it alone", web="SIUD"),
    Open("accounts_audithead", "the chain's end, which whoever adds an entry moves", web="SIU", worker="SIU", biller="SIU"),
    Open("accounts_user_groups", POWERS, web="SIUD"),
    Open("accounts_user_user_permissions", POWERS, web="SIUD"),
    Open("auth_group", POWERS, web="SIUD"),
    Open("auth_group_permissions", POWERS, web="SIUD"),
    Open("auth_permission", POWERS, web="S"),
    Open("django_content_type", POWERS, web="S", worker="S", biller="S"),
    Open("django_admin_log", "what staff did in the administration", web="SID"),
    Open("django_migrations", HOUSE, web="S", worker="S", biller="S"),
    Open("django_celery_results_taskresult", CLOCK, web="SD", worker="SIUD", biller="SIUD"),
    Open("django_celery_results_groupresult", CLOCK, web="SD", worker="SIUD", biller="SIUD"),
    Open("django_celery_results_chordcounter", CLOCK, web="SD", worker="SIUD", biller="SIUD"),
    Open("django_celery_beat_periodictask", CLOCK, web="SIUD", worker="S", biller="SU"),
    Open("django_celery_beat_periodictasks", CLOCK, web="SIUD", worker="S", biller="SIU"),
    Open("django_celery_beat_crontabschedule", CLOCK, web="SIUD", worker="S", biller="SI"),
    Open("django_celery_beat_intervalschedule", CLOCK, web="SIUD", worker="S", biller="SI"),
    Open("django_celery_beat_clockedschedule", CLOCK, web="SIUD", worker="S", biller="S"),
    Open("django_celery_beat_solarschedule", CLOCK, web="SIUD", worker="S", biller="S"),
    Open("usage_ingestoffset", "where the pipeline stands", web="S", worker="SIU"),
    Open("usage_workerbeat", "workers' signs of life", web="S", worker="SIUD"),
    Open("invoices_taxrate", HOUSE, web="SIUD", biller="S"),
    Open("invoices_fleetload", "how busy the whole fleet was, without a name", web="S", biller="SI"),
    Open("invoices_invoicecounter", "the next number; nobody's yet", web="SIU", biller="SIU"),
    Open("invoices_invoicerun", "the hour of a run", web="S", biller="SID"),
    Open("invoices_spotprice", PRICE_LIST, web="SI", biller="S"),
    Open("invoices_rateplan", PRICE_LIST, web="SIUD", biller="S"),
    Open("invoices_planversion", PRICE_LIST, web="SIUD", biller="S"),
    Open("invoices_price", PRICE_LIST, web="SIUD", biller="S"),
    Open("invoices_tier", PRICE_LIST, web="SIUD", biller="S"),
)
