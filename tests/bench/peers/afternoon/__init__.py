"""A Django site that asks the provider while the form is being sent."""
