import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import accounts.webhook_models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_mail_and_notices'),
    ]

    operations = [
        migrations.CreateModel(
            name='WebhookEndpoint',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('url', models.CharField(max_length=500)),
                ('note', models.CharField(blank=True, max_length=120)),
                ('events', models.CharField(help_text='Names with spaces between', max_length=200)),
                ('enabled', models.BooleanField(default=True)),
                ('sealed', models.BinaryField()),
                ('sealed_before', models.BinaryField(null=True)),
                ('before_until', models.DateTimeField(null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhooks', to='accounts.customer')),
            ],
        ),
        migrations.CreateModel(
            name='WebhookEvent',
            fields=[
                ('id', models.CharField(default=accounts.webhook_models.new_event_id, max_length=40, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('cause', models.CharField(max_length=160, unique=True)),
                ('body', models.TextField()),
                ('at', models.DateTimeField(db_index=True)),
                ('customer', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='webhook_events', to='accounts.customer')),
            ],
        ),
        migrations.CreateModel(
            name='WebhookDelivery',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('pending', 'Waiting'), ('delivered', 'Delivered'), ('failed', 'Given up')], default='pending', max_length=9)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('last_at', models.DateTimeField(null=True)),
                ('status', models.PositiveSmallIntegerField(help_text='HTTP status of the last answer', null=True)),
                ('error', models.CharField(blank=True, max_length=200)),
                ('endpoint', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='accounts.webhookendpoint')),
                ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='deliveries', to='accounts.webhookevent')),
            ],
            options={
                'verbose_name_plural': 'webhook deliveries',
                'indexes': [models.Index(condition=models.Q(('state', 'pending')), fields=['next_at'], name='delivery_due')],
                'constraints': [models.UniqueConstraint(fields=('event', 'endpoint'), name='delivery_once')],
            },
        ),
    ]
