"""The unattended half: harvest, embed, match, queue."""
