"""What a customer wants quoted on its invoices."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0006_webhooks'),
    ]

    operations = [
        migrations.AddField(
            model_name='customer',
            name='buyer_reference',
            field=models.CharField(blank=True, help_text="What the customer wants quoted on its invoices; a German authority's Leitweg-ID", max_length=100),
        ),
    ]
