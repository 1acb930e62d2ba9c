"""A made-up super-app of any size, to see how the portal behaves with it (`manage.py load_fixture_scale`)."""
