"""DAVIS metrics, baselines and reports."""
