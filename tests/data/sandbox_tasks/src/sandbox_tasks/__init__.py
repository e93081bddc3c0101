"""Tasks for tests that run something in a sandbox."""
