"""Asking servers: bounded in time and size, polite, and silent about secrets. Nothing here knows what is asked for."""
