"""Before and beside a run: doctor, plan, status."""
