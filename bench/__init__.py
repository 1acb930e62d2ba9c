"""`make bench`: how fast the portal is beside its peers, measured on this machine. See `bench/plan.py`."""
