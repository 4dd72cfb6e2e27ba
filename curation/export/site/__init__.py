"""The site: static pages that people read the catalogue on, from a file or behind any web server."""
