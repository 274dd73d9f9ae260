"""Number of clicks: how many a user needs until a mask is good, after the protocol of f-BRS and RITM."""
