"""From what is to what works: which stacks fit, what would change, in which order, by which commands."""
