"""Hypothesis draws the same examples in every run, so that a failure in CI is one on any machine."""

from hypothesis import settings

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("reproducible")
