"""The console's start page: how it goes, from sums and estimates, never from the big tables themselves."""
