"""The books around invoices: discounts, tax, the wallet's ledger, credit notes, runs. What was billed before follows in 0005."""

import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.utils.timezone

from django.db import migrations, models

from invoices import guards


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_billing_terms'),
        ('invoices', '0003_richer_prices'),
    ]

    operations = [
        migrations.RunPython(guards.drop, guards.install),
        migrations.CreateModel(
            name='CreditNote',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(max_length=40, unique=True)),
                ('reason', models.CharField(max_length=500)),
                ('lines', models.JSONField(help_text='Position on the invoice, name and amount_minor of each')),
                ('subtotal_minor', models.BigIntegerField(help_text='Before tax, discounts taken off')),
                ('tax_minor', models.BigIntegerField()),
                ('total_minor', models.BigIntegerField()),
                ('to_wallet_minor', models.BigIntegerField(default=0, help_text='What was paid already and went to the wallet')),
                ('taxes', models.JSONField(default=list, help_text="As on the invoice, for this note's amounts")),
                ('issued_on', models.DateField()),
                ('issued_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('issued_by', models.EmailField(blank=True, max_length=254)),
            ],
            options={
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='Discount',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveSmallIntegerField(default=0, help_text='Order on the invoice')),
                ('name', models.CharField(help_text='As printed on the invoice', max_length=120)),
                ('share_micro', models.PositiveIntegerField(blank=True, help_text='Millionths of the lines: 100000 is 10 %', null=True, validators=[django.core.validators.MaxValueValidator(1000000)])),
                ('fixed_minor', models.BigIntegerField(blank=True, help_text='Or an amount an invoice, in cents', null=True)),
                ('start', models.DateTimeField(help_text='UTC')),
                ('end', models.DateTimeField(blank=True, help_text='UTC; empty: goes on', null=True)),
            ],
            options={
                'ordering': ['customer', 'position', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='InvoiceRun',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.DateTimeField(unique=True)),
                ('started_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ['-hour'],
            },
        ),
        migrations.CreateModel(
            name='LedgerEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('currency', models.CharField(max_length=3)),
                ('debit', models.CharField(choices=[('receivable', 'Owed by the customer'), ('wallet', 'Prepaid and credits'), ('revenue', 'Revenue'), ('tax', 'Tax owed to the state'), ('cash', 'Received'), ('goodwill', 'Credits given')], help_text='The account that the amount goes to', max_length=10)),
                ('credit', models.CharField(choices=[('receivable', 'Owed by the customer'), ('wallet', 'Prepaid and credits'), ('revenue', 'Revenue'), ('tax', 'Tax owed to the state'), ('cash', 'Received'), ('goodwill', 'Credits given')], help_text='The account that it comes from', max_length=10)),
                ('amount_minor', models.BigIntegerField()),
                ('kind', models.CharField(choices=[('invoice', 'Invoice'), ('payment', 'Payment'), ('credit_note', 'Credit note'), ('void', 'Voided invoice'), ('top_up', 'Prepayment'), ('grant', 'Credit given'), ('refund', 'Prepayment paid back')], max_length=11)),
                ('reference', models.CharField(help_text='What it belongs to; the same one counts once', max_length=160)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('by', models.EmailField(blank=True, max_length=254)),
            ],
            options={
                'verbose_name_plural': 'ledger entries',
                'ordering': ['-pk'],
            },
        ),
        migrations.CreateModel(
            name='OneOffItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As printed on the invoice', max_length=200)),
                ('amount_minor', models.BigIntegerField(help_text='Net, in cents')),
                ('at', models.DateTimeField(default=django.utils.timezone.now, help_text='UTC')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ['customer', 'at', 'pk'],
            },
        ),
        migrations.CreateModel(
            name='RunItem',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('waiting', 'Waiting'), ('done', 'Done'), ('parked', 'Parked')], default='waiting', max_length=7)),
                ('reason', models.TextField(blank=True, help_text='Why the customer was parked')),
                ('invoices', models.JSONField(default=list, help_text='What was drafted or finalised')),
                ('finished_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-run', 'customer'],
            },
        ),
        migrations.CreateModel(
            name='TaxRate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('country', models.CharField(help_text='ISO 3166', max_length=2, validators=[django.core.validators.RegexValidator('\\A[A-Z]{2}\\Z', "Use a country's two capital letters of ISO 3166, such as DE.")])),
                ('since', models.DateField(help_text='First day')),
                ('name', models.CharField(default='VAT', help_text='As printed on the invoice', max_length=40)),
                ('rate_micro', models.PositiveIntegerField(help_text='Millionths: 190000 is 19 %', validators=[django.core.validators.MaxValueValidator(1000000)])),
            ],
            options={
                'ordering': ['country', '-since'],
            },
        ),
        migrations.RemoveConstraint(
            model_name='invoice',
            name='invoice_adds_up',
        ),
        migrations.RemoveConstraint(
            model_name='invoiceline',
            name='line_kind_known',
        ),
        migrations.AddField(
            model_name='invoice',
            name='content_hash',
            field=models.CharField(blank=True, help_text='SHA-256 of everything printed', max_length=64),
        ),
        migrations.AddField(
            model_name='invoice',
            name='credit_minor',
            field=models.BigIntegerField(default=0, help_text='Paid from the wallet; below zero, carried over to it'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='customer_country',
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name='invoice',
            name='discount_minor',
            field=models.BigIntegerField(default=0, help_text='Taken off before tax'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='discounts',
            field=models.JSONField(default=list, help_text='Name and amount of each, as printed'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='held',
            field=models.JSONField(default=list, help_text='Which bounds a draft breaks, and how: it waits for a person'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='release_reason',
            field=models.CharField(blank=True, max_length=500),
        ),
        migrations.AddField(
            model_name='invoice',
            name='released',
            field=models.JSONField(default=list, help_text='Which of them a person has let pass'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='released_by',
            field=models.EmailField(blank=True, max_length=254),
        ),
        migrations.AddField(
            model_name='invoice',
            name='seller_country',
            field=models.CharField(blank=True, max_length=2),
        ),
        migrations.AddField(
            model_name='invoice',
            name='tax_included',
            field=models.BooleanField(default=False, help_text='The lines hold the tax already'),
        ),
        migrations.AddField(
            model_name='invoice',
            name='taxes',
            field=models.JSONField(default=list, help_text='Name, category, rate, base and amount of each, as printed'),
        ),
        migrations.AlterField(
            model_name='invoice',
            name='subtotal_minor',
            field=models.BigIntegerField(default=0, help_text='The sum of the lines'),
        ),
        migrations.AlterField(
            model_name='invoice',
            name='total_minor',
            field=models.BigIntegerField(default=0, help_text='What is to be paid'),
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='kind',
            field=models.CharField(choices=[('usage', 'Usage'), ('flat_fee', 'Flat fee'), ('minimum_true_up', 'Up to the agreed minimum'), ('proration_credit', 'Given back for a part of a period'), ('one_off', 'One-off item'), ('correction', 'Correction of an earlier period')], max_length=20),
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='plan_code',
            field=models.CharField(blank=True, max_length=63),
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='plan_name',
            field=models.CharField(blank=True, max_length=120),
        ),
        migrations.AlterField(
            model_name='invoiceline',
            name='plan_version',
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name='invoice',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('tax_included', False), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '+', models.F('tax_minor')), '-', models.F('credit_minor')))), models.Q(('tax_included', True), ('total_minor', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '-', models.F('discount_minor')), '-', models.F('credit_minor')))), _connector='OR'), name='invoice_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='invoiceline',
            constraint=models.CheckConstraint(condition=models.Q(('kind__in', ['usage', 'flat_fee', 'minimum_true_up', 'proration_credit', 'one_off', 'correction'])), name='line_kind_known'),
        ),
        migrations.AddField(
            model_name='creditnote',
            name='invoice',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_notes', to='invoices.invoice'),
        ),
        migrations.AddField(
            model_name='discount',
            name='customer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='discounts', to='accounts.customer'),
        ),
        migrations.AddField(
            model_name='ledgerentry',
            name='customer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='ledger', to='accounts.customer'),
        ),
        migrations.AddField(
            model_name='oneoffitem',
            name='customer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='one_offs', to='accounts.customer'),
        ),
        migrations.AddField(
            model_name='runitem',
            name='customer',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='accounts.customer'),
        ),
        migrations.AddField(
            model_name='runitem',
            name='run',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='items', to='invoices.invoicerun'),
        ),
        migrations.AddConstraint(
            model_name='taxrate',
            constraint=models.UniqueConstraint(fields=('country', 'since'), name='tax_rate_once'),
        ),
        migrations.AddConstraint(
            model_name='creditnote',
            constraint=models.CheckConstraint(condition=models.Q(('total_minor', django.db.models.expressions.CombinedExpression(models.F('subtotal_minor'), '+', models.F('tax_minor'))), ('total_minor__gt', 0)), name='credit_note_adds_up'),
        ),
        migrations.AddConstraint(
            model_name='creditnote',
            constraint=models.CheckConstraint(condition=models.Q(('to_wallet_minor__gte', 0), ('to_wallet_minor__lte', models.F('total_minor'))), name='credit_note_to_wallet'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('fixed_minor__gt', 0), ('fixed_minor__isnull', False), ('share_micro__isnull', True)), models.Q(('fixed_minor__isnull', True), ('share_micro__gt', 0), ('share_micro__isnull', False), ('share_micro__lte', 1000000)), _connector='OR'), name='discount_share_or_fixed'),
        ),
        migrations.AddConstraint(
            model_name='discount',
            constraint=models.CheckConstraint(condition=models.Q(('end__isnull', True), ('end__gt', models.F('start')), _connector='OR'), name='discount_not_empty'),
        ),
        migrations.AddIndex(
            model_name='ledgerentry',
            index=models.Index(fields=['customer', 'currency'], name='ledger_by_customer'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.UniqueConstraint(fields=('customer', 'kind', 'reference', 'debit', 'credit'), name='ledger_once'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor__gt', 0)), name='ledger_positive'),
        ),
        migrations.AddConstraint(
            model_name='ledgerentry',
            constraint=models.CheckConstraint(condition=models.Q(('debit', models.F('credit')), _negated=True), name='ledger_two_accounts'),
        ),
        migrations.AddConstraint(
            model_name='oneoffitem',
            constraint=models.CheckConstraint(condition=models.Q(('amount_minor', 0), _negated=True), name='one_off_not_zero'),
        ),
        migrations.AddConstraint(
            model_name='runitem',
            constraint=models.UniqueConstraint(fields=('run', 'customer'), name='run_item_once'),
        ),
        migrations.RunPython(guards.install, guards.drop),
    ]
