"""Vanilla django-oauth-toolkit: its own token and userinfo views, nothing of ours."""
