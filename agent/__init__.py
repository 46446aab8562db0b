"""The program on the machine: counters -> samples -> a spool on disk -> Kafka. Of the server it knows the wire format."""

__version__ = "0.1.0"
