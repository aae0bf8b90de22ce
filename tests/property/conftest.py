"""Profiles of the property tests: small by default, ``--hypothesis-profile=deep --timeout=0`` when in doubt.

``brief`` is what `make test` runs with the core interpreted; all of the default's examples follow, compiled.

A test says how many examples it deserves by default with ``examples`` or ``scaled``; the profile scales that.
"""

from hypothesis import settings

settings.register_profile("deep", max_examples=2_000, deadline=None)
settings.register_profile("brief", max_examples=30, deadline=None)
