"""The command line: one file per group of verbs, each light to import. What takes time is imported by the
verb."""
