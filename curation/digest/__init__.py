"""What happened since the last digest, for people who were not there: gathered once, told as text, Markdown or HTML."""
