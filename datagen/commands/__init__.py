"""One file, one command of `vosforge-data`."""
