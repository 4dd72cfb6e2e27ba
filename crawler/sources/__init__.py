"""Where papers come from: one module a source, all of them yielding pages of records."""
