"""What it costs: filled in next."""
