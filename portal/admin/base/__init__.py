"""What the pages of the admin are built of."""
