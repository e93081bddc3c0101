"""A walk through a deployed instance, by what its users have: the command `hawk`, and the API's own description."""
