"""What an XRechnung says besides: the buyer's reference, the seller's contact and account. Recorded market prices are kept."""

from django.db import migrations, models

from invoices import guards


class Migration(migrations.Migration):

    dependencies = [
        ('invoices', '0006_spot_prices'),
    ]

    operations = [
        migrations.RunPython(guards.drop, guards.install),
        migrations.AddField(
            model_name='invoice',
            name='buyer_reference',
            field=models.CharField(blank=True, help_text='As the customer wants it quoted', max_length=100),
        ),
        migrations.AddField(
            model_name='invoice',
            name='customer_email',
            field=models.EmailField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller_contact',
            field=models.CharField(blank=True, max_length=200),
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller_email',
            field=models.EmailField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller_iban',
            field=models.CharField(blank=True, max_length=34),
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller_phone',
            field=models.CharField(blank=True, max_length=40),
        ),
        migrations.RunPython(guards.install, guards.drop),
    ]
