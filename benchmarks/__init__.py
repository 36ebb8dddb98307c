"""Measurements that print ratios and shares, never absolute times."""
