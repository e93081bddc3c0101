"""Hawk's own programs on the cluster: what each runs, may do in AWS, is told and may reach."""
