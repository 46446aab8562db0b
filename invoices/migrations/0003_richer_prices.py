"""More models and keys of a price, a commitment of a plan version, and the fleet's load as recorded."""

import django.utils.timezone

from django.db import migrations, models

from invoices import guards


class Migration(migrations.Migration):

    dependencies = [
        ('invoices', '0002_guards'),
    ]

    operations = [
        migrations.RunPython(guards.drop, guards.install),
        migrations.CreateModel(
            name='FleetLoad',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(help_text='UTC', unique=True)),
                ('share_micro', models.PositiveIntegerField(help_text='Millionths of the cores: 850000 is 85 %')),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'verbose_name': 'fleet load',
                'ordering': ['-at'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='price',
            name='price_meter_once',
        ),
        migrations.RemoveConstraint(
            model_name='price',
            name='price_model_known',
        ),
        migrations.AddField(
            model_name='planversion',
            name='commitment_nano',
            field=models.BigIntegerField(default=0, help_text='Least that a month comes to, in 1e-9 of the currency; what is missing is charged'),
        ),
        migrations.AddField(
            model_name='price',
            name='details',
            field=models.JSONField(blank=True, default=dict, help_text='Further keys as in a plan file: windows, series, minimum and so on, numbers as text'),
        ),
        migrations.AlterField(
            model_name='price',
            name='model',
            field=models.CharField(choices=[('per_unit', 'Per unit'), ('graduated', "Graduated: each part at its tier's price"), ('volume', 'Volume: all at the price of the last tier reached'), ('package', 'Package: started packages'), ('flat', 'Flat fee per month'), ('sample_tariff', 'Per percent and sample'), ('percentage', 'Percentage of an amount'), ('graduated_percentage', 'Graduated percentage of an amount'), ('time_of_use', 'Time of use: by weekday and hour'), ('spot_series', 'Spot: a series of prices'), ('reserved', 'Reserved: a level paid for in full, and more at another price')], max_length=24),
        ),
        migrations.AlterField(
            model_name='price',
            name='unit',
            field=models.CharField(blank=True, choices=[('core-hour', 'core-hour'), ('GiB-hour', 'GiB-hour'), ('GiB-month', 'GiB-month'), ('GB', 'GB'), ('GiB', 'GiB'), ('Mbit/s', 'Mbit/s'), ('percent-sample', 'percent-sample')], max_length=20),
        ),
        migrations.AddConstraint(
            model_name='planversion',
            constraint=models.CheckConstraint(condition=models.Q(('commitment_nano__gte', 0)), name='version_commitment'),
        ),
        migrations.AddConstraint(
            model_name='price',
            constraint=models.CheckConstraint(condition=models.Q(('model__in', ['per_unit', 'graduated', 'volume', 'package', 'flat', 'sample_tariff', 'percentage', 'graduated_percentage', 'time_of_use', 'spot_series', 'reserved'])), name='price_model_known'),
        ),
        migrations.AddConstraint(
            model_name='fleetload',
            constraint=models.CheckConstraint(condition=models.Q(('share_micro__lte', 1000000)), name='fleet_load_share'),
        ),
        migrations.RunPython(guards.install, guards.drop),
    ]
