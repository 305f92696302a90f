"""What somebody would have instead of the portal, written in an afternoon: `bare` a loop, `afternoon` a Django site."""
