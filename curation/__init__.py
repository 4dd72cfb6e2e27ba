"""The human half: catalogue, review, evidence, export, and the command line."""
