"""What becomes of a request, from the form to its end."""
