"""Logs that people bring: their upload, the rules by which they are taken in, and the stamp they get."""
