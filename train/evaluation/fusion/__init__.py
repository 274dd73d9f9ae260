"""What fusion is worth between two interactions: the command `vosforge-eval fusion`."""
