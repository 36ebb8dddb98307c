"""What the dynamic loader really picks: predicted from files alone, and observed in child processes."""
