"""Dagster's own door: signs people in, asks what they may, and passes on to a webserver that listens on loopback."""
