"""The JSON Schemas of what verbs print with --json: one document a verb, published and tested."""
