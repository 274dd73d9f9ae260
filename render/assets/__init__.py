"""Assets: found, measured, quarantined, split, dealt."""
