"""The commands of vosforge-train, one a file: a class with its arguments, and `run`."""
