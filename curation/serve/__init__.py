"""The review in the browser: who is let in, the page, and a process of `bmp review` for each visitor."""
