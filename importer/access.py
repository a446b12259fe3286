"""Who may see and steer what: state and counts of an import are for everybody signed in, its rows are not."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from accounts.models import Right, User
from importer.models import Export, Import


def may_see_rows(user: AbstractBaseUser | AnonymousUser, run: Import | Export) -> bool:
    """True when `user` may read the name of the file, its cells and its rejects, or an export: its owner and staff."""
    if not user.is_authenticated:
        return False
    return bool(getattr(user, "is_staff", False)) or (run.owner_id is not None and run.owner_id == user.pk)


def may_steer(user: AbstractBaseUser | AnonymousUser, run: Import) -> bool:
    """True when `user` may pause, resume, cancel, approve, retry or undo an import: its owner, while they may import, and
    admins."""
    return isinstance(user, User) and user.may(Right.IMPORT) and may_see_rows(user, run)
