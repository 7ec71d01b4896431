"""Shows the journal's state on server-rendered pages."""
