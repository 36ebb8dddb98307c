"""Times as facts carry them: see :mod:`trtdoctor.times`, where the rooms below find them too."""

from __future__ import annotations

from trtdoctor.times import days_between, iso, of_unix, parse

__all__ = ["days_between", "iso", "of_unix", "parse"]
