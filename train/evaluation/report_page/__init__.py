"""The report of an evaluation as one HTML page: tables, curves, bars and strips of pictures."""
