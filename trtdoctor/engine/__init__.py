"""Files of engines: what their first bytes say, what stands beside them, and where they lie. Nothing is judged here."""
