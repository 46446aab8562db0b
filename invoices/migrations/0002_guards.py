"""Install the triggers that keep finalised invoices and published prices as they are."""

from django.db import migrations

from invoices import guards


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("invoices", "0001_initial")]

    operations = [migrations.RunPython(guards.install, guards.drop)]
