"""The standard rates that a new installation knows, in millionths, each from a day on. An operator adds what is new.

The European Union's members as the Commission's database "Taxes in Europe" (TEDB) lists them; Switzerland, Norway, the
United Kingdom and Japan as their tax authorities publish them (ESTV, Skatteetaten, HMRC, NTA). Looked through in November
2026; the last changes of a standard rate known then: Slovakia in January, Estonia in July, Romania in August 2025.
"""

LONG_AGO = "2010-01-01"

# Country, first day, name, rate.
TAX_RATES: tuple[tuple[str, str, str, int], ...] = (
    ("AT", LONG_AGO, "USt", 200_000),
    ("BE", LONG_AGO, "TVA/BTW", 210_000),
    ("BG", LONG_AGO, "DDS", 200_000),
    ("CH", "2018-01-01", "MWST", 77_000),
    ("CH", "2024-01-01", "MWST", 81_000),
    ("CY", "2014-01-13", "VAT", 190_000),
    ("CZ", "2013-01-01", "DPH", 210_000),
    ("DE", LONG_AGO, "USt", 190_000),
    ("DE", "2020-07-01", "USt", 160_000),
    ("DE", "2021-01-01", "USt", 190_000),
    ("DK", LONG_AGO, "Moms", 250_000),
    ("EE", LONG_AGO, "KM", 200_000),
    ("EE", "2024-01-01", "KM", 220_000),
    ("EE", "2025-07-01", "KM", 240_000),
    ("ES", "2012-09-01", "IVA", 210_000),
    ("FI", "2013-01-01", "ALV", 240_000),
    ("FI", "2024-09-01", "ALV", 255_000),
    ("FR", "2014-01-01", "TVA", 200_000),
    ("GB", "2011-01-04", "VAT", 200_000),
    ("GR", "2016-06-01", "FPA", 240_000),
    ("HR", "2012-03-01", "PDV", 250_000),
    ("HU", "2012-01-01", "ÁFA", 270_000),
    ("IE", "2012-01-01", "VAT", 230_000),
    ("IE", "2020-09-01", "VAT", 210_000),
    ("IE", "2021-03-01", "VAT", 230_000),
    ("IT", "2013-10-01", "IVA", 220_000),
    ("JP", "2014-04-01", "JCT", 80_000),
    ("JP", "2019-10-01", "JCT", 100_000),
    ("LT", LONG_AGO, "PVM", 210_000),
    ("LU", "2015-01-01", "TVA", 170_000),
    ("LU", "2023-01-01", "TVA", 160_000),
    ("LU", "2024-01-01", "TVA", 170_000),
    ("LV", "2012-07-01", "PVN", 210_000),
    ("MT", LONG_AGO, "VAT", 180_000),
    ("NL", "2012-10-01", "BTW", 210_000),
    ("NO", LONG_AGO, "MVA", 250_000),
    ("PL", "2011-01-01", "VAT", 230_000),
    ("PT", "2011-01-01", "IVA", 230_000),
    ("RO", "2017-01-01", "TVA", 190_000),
    ("RO", "2025-08-01", "TVA", 210_000),
    ("SE", LONG_AGO, "Moms", 250_000),
    ("SI", "2013-07-01", "DDV", 220_000),
    ("SK", "2011-01-01", "DPH", 200_000),
    ("SK", "2025-01-01", "DPH", 230_000),
)
