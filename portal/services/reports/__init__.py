"""What is read: counts, exports of one request, how well the portal is."""
