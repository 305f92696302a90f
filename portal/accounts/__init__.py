"""How people sign in: by django-allauth, with the portal's limits on guessing, its events and its pages."""
