"""The two sets of colours: ink on dark, ink on paper."""

from __future__ import annotations

from textual.theme import Theme

DARK = Theme(
    name="bmp-dark",
    dark=True,
    primary="#8fb8de",
    secondary="#a9b1c0",
    accent="#e3b95b",
    success="#93c493",
    warning="#e3b95b",
    error="#e88080",
    foreground="#d6d9df",
    background="#16181d",
    surface="#1b1e24",
    panel="#242831",
    variables={
        "muted": "#8f97a6",
        "rule": "#343a45",
        "evidence": "#5e4812",
        "evidence-ink": "#ffeab0",
        "chosen": "#272d38",
    },
)

LIGHT = Theme(
    name="bmp-light",
    dark=False,
    primary="#1c5a94",
    secondary="#4a505c",
    accent="#8a5800",
    success="#2c6e3c",
    warning="#8a5800",
    error="#a8262b",
    foreground="#23252a",
    background="#fbfaf6",
    surface="#f4f2ec",
    panel="#e9e6dc",
    variables={
        "muted": "#62666f",
        "rule": "#cfcabc",
        "evidence": "#ffdf85",
        "evidence-ink": "#2b2206",
        "chosen": "#e9e6dc",
    },
)
