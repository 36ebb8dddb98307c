"""The recipes below ``docs/examples`` and ``.github``, run or held against their official schemas."""
