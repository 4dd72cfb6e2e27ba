"""The review in a terminal: one paper, one claim, one key."""
