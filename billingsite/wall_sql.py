"""The SQL that puts the second wall and the roles of billingsite/walls.py into a database. Pure: text, and nothing is run.

Every statement may be run again, after each migration: all of it in one transaction replaces what was there before.
"""

# ruff: noqa: S608 - every name in these statements is a constant of billingsite/walls.py or the schema's own, quoted
from collections.abc import Iterator

from billingsite.walls import OPEN, WALLED, Open, Walled

WEB, WORKER, BILLER = ROLES = ("corehour_web", "corehour_worker", "corehour_biller")
VERBS = {"S": "SELECT", "I": "INSERT", "U": "UPDATE", "D": "DELETE", "L": "UPDATE (id)"}
STAFF = "(SELECT current_setting('corehour.staff', true) = 'on')"
POLICIES = ("corehour_seen", "corehour_added", "corehour_looked_at", "corehour_work")

# What the asker has shown decides, and the database's own rows: not a list that the caller brings. A machine's key id and a
# token's digest are looked up here before a signature is checked or a token is spent, so they open one customer at most.
ASK = """
CREATE OR REPLACE FUNCTION corehour_ask(asker text, shown text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $ask$
DECLARE
  seen bigint[] := '{{}}';
  staff boolean := false;
BEGIN
  IF asker = 'person' THEN
    SELECT u.is_staff, ARRAY(SELECT m.customer_id FROM accounts_membership m WHERE m.user_id = u.id) INTO staff, seen
      FROM accounts_user u WHERE u.id = shown::bigint AND u.is_active;
  ELSIF asker = 'key' THEN
    SELECT array_agg(k.customer_id) INTO seen FROM accounts_apikey k
      WHERE k.digest = shown AND COALESCE(k.revoked_at > clock_timestamp(), true)
        AND COALESCE(k.expires_at > clock_timestamp(), true);
  ELSIF asker = 'machine' THEN
    SELECT array_agg(m.customer_id) INTO seen FROM usage_machinekey k JOIN usage_machine m ON m.id = k.machine_id
      WHERE k.keyid = shown AND k.revoked_at IS NULL;
  ELSIF asker = 'token' THEN
    SELECT array_agg(m.customer_id) INTO seen FROM usage_enrolmenttoken t JOIN usage_machine m ON m.id = t.machine_id
      WHERE t.digest = shown;
  END IF;
  PERFORM set_config('corehour.kind', asker, false),
    set_config('corehour.staff', CASE WHEN staff THEN 'on' ELSE '' END, false),
    set_config('corehour.customers', COALESCE(array_to_string(seen, ','), ''), false);
END $ask$
"""


def statements(schema: str) -> Iterator[str]:
    """Yield every statement in its order, for tables in this schema."""
    yield "SET LOCAL lock_timeout = '10s'"
    yield f"SET LOCAL search_path = {quoted(schema)}, pg_temp"
    for role in ROLES:
        yield from _role(role, quoted(schema))
    for table in WALLED:
        yield from _wall(table)
    for each in (*WALLED, *OPEN):
        yield from _grants(each)
    yield ASK.format(schema=quoted(schema)).strip()
    yield "REVOKE ALL ON FUNCTION corehour_ask(text, text) FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION corehour_ask(text, text) TO {WEB}"


def statements_to_remove(schema: str) -> Iterator[str]:
    """Yield what takes the wall down again, and every right of the roles. The roles themselves stay."""
    yield f"SET LOCAL search_path = {quoted(schema)}, pg_temp"
    for table in WALLED:
        yield from (f"DROP POLICY IF EXISTS {policy} ON {table.name}" for policy in POLICIES)
        yield f"ALTER TABLE {table.name} DISABLE ROW LEVEL SECURITY"
    yield "DROP FUNCTION IF EXISTS corehour_ask(text, text)"
    for role in ROLES:
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {quoted(schema)} FROM {role}"
        yield f"REVOKE ALL ON SCHEMA {quoted(schema)} FROM {role}"


def _role(role: str, schema: str) -> Iterator[str]:
    missing = f"NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
    yield f"DO $$ BEGIN IF {missing} THEN CREATE ROLE {role} LOGIN; END IF; END $$"
    yield f"REVOKE ALL ON ALL TABLES IN SCHEMA {schema} FROM {role}"
    yield f"GRANT USAGE ON SCHEMA {schema} TO {role}"


def _wall(table: Walled) -> Iterator[str]:
    """A policy for each way to a row; of those that hold for a role one is enough. Worker and biller are held by their rights."""
    yield f"ALTER TABLE {table.name} ENABLE ROW LEVEL SECURITY"
    for policy in POLICIES:
        yield f"DROP POLICY IF EXISTS {policy} ON {table.name}"
    yield f"CREATE POLICY corehour_seen ON {table.name} FOR ALL TO {WEB} USING ({STAFF} OR {table.mine})"
    if table.added:
        yield f"CREATE POLICY corehour_added ON {table.name} FOR INSERT TO {WEB} WITH CHECK ({table.added})"
    if table.looked_at_by:
        kinds = ", ".join(f"'{kind}'" for kind in table.looked_at_by)
        condition = f"(SELECT current_setting('corehour.kind', true) IN ({kinds}))"
        yield f"CREATE POLICY corehour_looked_at ON {table.name} FOR SELECT TO {WEB} USING ({condition})"
    yield f"CREATE POLICY corehour_work ON {table.name} FOR ALL TO {WORKER}, {BILLER} USING (true)"


def _grants(table: Walled | Open) -> Iterator[str]:
    for role, letters in zip(ROLES, (table.web, table.worker, table.biller), strict=True):
        if letters:
            yield f"GRANT {', '.join(VERBS[letter] for letter in letters)} ON {table.name} TO {role}"
    if isinstance(table, Open) and table.biller_columns:
        yield f"GRANT SELECT ({', '.join(table.biller_columns)}) ON {table.name} TO {BILLER}"


def quoted(name: str) -> str:
    """An identifier as PostgreSQL reads any name."""
    return '"' + name.replace('"', '""') + '"'
