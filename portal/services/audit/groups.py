"""What the portal's own groups may do before an administrator changes them."""

from collections.abc import Mapping

from portal.models import groups


def describe_group(*, name: str) -> dict[str, object] | None:
    """The group as the log holds it; None where the portal does not make one of that name."""
    permissions: Mapping[str, tuple[str, ...]] = groups.PERMISSIONS
    if name not in permissions:
        return None
    return {"name": name, "permissions": sorted(f"portal.{codename}" for codename in permissions[name])}
