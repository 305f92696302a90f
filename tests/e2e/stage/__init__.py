"""A portal with everything in it that a page can show, made of rows so that it stands still while it is looked at."""
