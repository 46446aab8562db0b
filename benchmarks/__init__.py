"""Every published figure, measured on the machine it is run on: `python -m benchmarks NAME [--json]`. See docs/benchmarks.md."""
