"""On PostgreSQL the samples are cut into UTC days by their end, so that a day is dropped and not deleted row by row.

Django's model stays as it is. The primary key there takes in end_ms, by which the table is cut; the runs keep
(machine, stream, seq) unique across days. See docs/decisions/0004.
"""

from django.db import migrations

SAMPLES = "usage_usagesample"
DAY_MS = 86_400_000

CUT = f"""
CREATE TABLE {SAMPLES}_cut (LIKE {SAMPLES} INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (end_ms);
CREATE TABLE {SAMPLES}_default PARTITION OF {SAMPLES}_cut DEFAULT;
DO $$
DECLARE
  day bigint;
BEGIN
  FOR day IN
    SELECT DISTINCT end_ms - end_ms % {DAY_MS} FROM {SAMPLES}
    UNION SELECT {DAY_MS} * (extract(epoch FROM now())::bigint / 86400 + ahead) FROM generate_series(0, 7) AS ahead
  LOOP
    EXECUTE format(
      'CREATE TABLE {SAMPLES}_%s PARTITION OF {SAMPLES}_cut FOR VALUES FROM (%s) TO (%s)',
      to_char(to_timestamp(day / 1000) AT TIME ZONE 'UTC', 'YYYYMMDD'), day, day + {DAY_MS}
    );
  END LOOP;
END $$;
INSERT INTO {SAMPLES}_cut SELECT * FROM {SAMPLES};
DROP TABLE {SAMPLES};
ALTER TABLE {SAMPLES}_cut RENAME TO {SAMPLES};
ALTER TABLE {SAMPLES} ADD PRIMARY KEY (machine_id, stream, seq, end_ms);
CREATE INDEX sample_by_time ON {SAMPLES} (machine_id, end_ms);
"""

JOIN = f"""
CREATE TABLE {SAMPLES}_whole (LIKE {SAMPLES} INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
INSERT INTO {SAMPLES}_whole SELECT * FROM {SAMPLES};
DROP TABLE {SAMPLES};
ALTER TABLE {SAMPLES}_whole RENAME TO {SAMPLES};
ALTER TABLE {SAMPLES} ADD PRIMARY KEY (machine_id, stream, seq);
CREATE INDEX sample_by_time ON {SAMPLES} (machine_id, end_ms);
"""

# In which quarter hours each stream has metered so far; readings without an interval meter nothing.
STREAMS = f"""
INSERT INTO usage_machinestream (machine_id, stream, since_ms, until_ms, late_samples)
SELECT machine_id, stream, MIN(start_ms) - MIN(start_ms) % 900000, MAX(end_ms) + 899999 - (MAX(end_ms) + 899999) % 900000, 0
FROM {SAMPLES} WHERE end_ms > start_ms GROUP BY machine_id, stream
"""


def cut(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(CUT, params=None)


def join(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(JOIN, params=None)


class Migration(migrations.Migration):
    dependencies = [("usage", "0002_desk_and_completeness")]

    operations = [
        migrations.RunPython(cut, join, elidable=False),
        migrations.RunSQL(STREAMS, "DELETE FROM usage_machinestream"),
    ]
