"""skdigits beside its peers, measured in one run. See `python -m benchmarks --help`."""
