"""Unit tests and properties of the modules that need no fit."""

import os

from hypothesis import HealthCheck, settings

# No limit that depends on how fast the machine is. A failure prints how to repeat it
# with `@reproduce_failure`, so no database of examples is kept. CI runs the same
# examples every time; elsewhere every run tries new ones.
settings.register_profile(
    "skdigits",
    max_examples=25,
    deadline=None,
    database=None,
    print_blob=True,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("skdigits")
