"""A user's project: its configuration and its modules. Runs nothing."""
