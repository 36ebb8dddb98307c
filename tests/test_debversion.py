"""The order of Debian versions, by dpkg itself."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from trtdoctor.debversion import is_version, order, upstream_of

IN_ORDER = [
    "8.5.3-1+cuda11.8",
    "8.6.1.6-1+cuda11.8",
    "8.6.1.6-1+cuda12.0",
    "10.9.0.34-1+cuda12.8",
    "10.16.0.72-1+cuda12.9",
    "10.16.0.72-1+cuda13.2",
    "10.16.1.11-1+cuda13.2",
    "11.4.0.106~rc1-1+cuda13.4",
    "11.4.0.106-1+cuda13.4",
    "1:1.0-1",
]


def test_versions_of_nvidia_are_in_order() -> None:
    assert sorted(sorted(IN_ORDER), key=order) == IN_ORDER
    assert sorted(IN_ORDER) != IN_ORDER
    assert upstream_of("1:10.16.1.11-1+cuda13.2") == "10.16.1.11"
    assert upstream_of("13.3.1") == "13.3.1"
    assert all(map(is_version, IN_ORDER))
    assert not any(map(is_version, ["", "-1", "1 0", "1/../2", "1_0", "1\n", "9" * 300]))


CHARACTERS = st.text(alphabet="0019ab~+.-", max_size=7)
VERSIONS = st.builds(
    lambda epoch, head, tail: f"{epoch}{head}{tail}".rstrip("-"),
    st.sampled_from(["", "0:", "1:"]),
    st.sampled_from("019"),
    CHARACTERS,
)
ASK = """while read -r a b; do
  if dpkg --compare-versions "$a" lt "$b"; then echo -1
  elif dpkg --compare-versions "$a" eq "$b"; then echo 0
  else echo 1; fi
done"""


# Each comparison is a process: a few large examples, and no shrinking.
@settings(max_examples=4, deadline=None, phases=[Phase.generate])
@given(st.lists(st.tuples(VERSIONS, VERSIONS), min_size=40, max_size=60, unique=True))
def test_the_order_is_that_of_dpkg(pairs: list[tuple[str, str]]) -> None:
    if shutil.which("dpkg") is None:
        pytest.skip("dpkg is not installed")
    asked = "".join(f"{one} {other}\n" for one, other in pairs)
    done = subprocess.run(["sh", "-c", ASK], input=asked, capture_output=True, text=True, check=True, timeout=60)
    assert not done.stderr
    for (one, other), said in zip(pairs, done.stdout.split(), strict=True):
        found = (order(one) > order(other)) - (order(one) < order(other))
        assert found == int(said), (one, other)
