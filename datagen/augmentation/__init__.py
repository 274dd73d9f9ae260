"""Changes of picture and masks: drawn once, applied to image, masks and points alike."""
