"""Runs of hypothesis repeat exactly: a failure on one machine is a failure on the next."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")
