"""Tests that need no GPU; they run everywhere."""

from engine_service import workspace_bytes


def test_the_workspace_is_a_share_of_the_memory():
    assert workspace_bytes(16 << 30) == 4 << 30
    assert workspace_bytes(1 << 20) == 64 << 20
