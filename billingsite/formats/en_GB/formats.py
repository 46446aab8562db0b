"""Overrides of django.conf.locale.en_GB.formats."""

TIME_FORMAT = "H:i:s"
DATETIME_FORMAT = "j M Y, H:i:s e"
SHORT_DATETIME_FORMAT = "j M Y, H:i e"
