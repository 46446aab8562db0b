"""How the admin writes dates: Django's British format, but on a 24-hour clock with the zone, so that times can be compared."""
