"""What every part of the program shares: configuration, sizes, names, tags and policy documents."""
