"""The commands of `vosforge-render`: each a dataclass of arguments and a function that returns the exit code."""
