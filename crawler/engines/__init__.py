"""Engines: what computes a model's vectors, and which setting of which one is the fastest on this machine."""
