"""Who signs in: a user known by e-mail, with one of three roles; tokens of their programs; and the log of what counts."""

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    VIEWER = "viewer", "Viewer: may look"
    EDITOR = "editor", "Editor: may import and edit"
    ADMIN = "admin", "Admin: may delete all, undo others' imports, and look after webhooks and people"


class Right(models.TextChoices):
    """What a page or an operation asks for. A role has some; a token has some of its owner's."""

    READ = "read", "Look at everything its owner may see, and export"
    IMPORT = "import", "Import files, and steer imports"
    EDIT = "edit", "Make, change and delete records one by one"
    ADMIN = "admin", "Delete all, look after webhooks and people"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.EDITOR: frozenset({Right.READ, Right.IMPORT, Right.EDIT}),
    Role.ADMIN: frozenset(Right),
}


class Users(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Make a user; the e-mail is stored in lower case.

        Raises ValueError when the e-mail is blank, IntegrityError when it is taken.
        """
        if not email.strip():
            raise ValueError("A user needs an e-mail address.")
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, role=Role.ADMIN, **{**fields, "is_staff": True, "is_superuser": True})

    def get_by_natural_key(self, username: str | None) -> "User":
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser, PermissionsMixin):
    email = models.EmailField(unique=True, error_messages={"unique": "Somebody with this e-mail address is here already."})
    name = models.CharField(max_length=150, blank=True)
    role = models.CharField(max_length=10, choices=Role.choices, default=Role.VIEWER)
    #: Follows the role, as `is_superuser` does: Django's own pages ask for these two.
    is_staff = models.BooleanField(default=False, editable=False)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS = []

    objects = Users()

    def __str__(self) -> str:
        return self.name or self.email

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.is_staff = self.is_superuser = self.role == Role.ADMIN
        if (fields := kwargs.get("update_fields")) is not None and "role" in fields:
            kwargs["update_fields"] = {*fields, "is_staff", "is_superuser"}
        super().save(*args, **kwargs)

    def may(self, right: Right) -> bool:
        return self.is_active and right in RIGHTS[Role(self.role)]

    @property
    def may_import(self) -> bool:
        return self.may(Right.IMPORT)

    @property
    def may_edit(self) -> bool:
        return self.may(Right.EDIT)

    @property
    def may_admin(self) -> bool:
        return self.may(Right.ADMIN)


class Token(models.Model):
    """A long-lived key for a program of its owner. The key itself is shown once and not kept; a token is never deleted,
    so that the log can name it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    #: The part of the key that may be seen: it finds the row and tells tokens apart in lists and logs.
    prefix = models.CharField(max_length=16, unique=True)
    #: sha256 of the whole key, in hex. Keys are random, so nothing slower is needed (accounts/tokens.py).
    digest = models.CharField(max_length=64)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)
    #: Written at most once a minute.
    last_used_at = models.DateTimeField(null=True)
    last_used_from = models.GenericIPAddressField(null=True)

    class Meta:
        indexes = [models.Index(fields=["user", "-id"], name="token_user_idx")]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_good(self) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class AuditEntry(models.Model):
    """Something that people may ask about later: who signed in, who changed a role, deleted all, undid, used a token.

    Entries are only added. `email` is what the person was called then, so that it stands when the person is gone.
    """

    class Kind(models.TextChoices):
        SIGNED_IN = "signed_in", "Signed in"
        SIGN_IN_FAILED = "sign_in_failed", "Failed to sign in"
        SIGNED_OUT = "signed_out", "Signed out"
        PASSWORD_CHANGED = "password_changed", "Changed the password"
        SECOND_FACTOR = "second_factor", "Changed the second factor"
        PERSON_ADDED = "person_added", "Added a person"
        LINK_MADE = "link_made", "Made a link to set a password"
        ROLE_CHANGED = "role_changed", "Changed a role"
        PERSON_SWITCHED = "person_switched", "Let a person in or kept one out"
        TOKEN_MADE = "token_made", "Made a token"
        TOKEN_REVOKED = "token_revoked", "Revoked a token"
        TOKEN_USED = "token_used", "Used a token"
        CLEARED = "cleared", "Deleted all rows"
        UNDONE = "undone", "Undid an import"
        ERASED = "erased", "Erased a person's data"
        MAINTENANCE = "maintenance", "Opened or closed the site"

    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=20, choices=Kind)
    #: Who did it; nobody on the command line, and where a sign-in names nobody.
    person = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    email = models.CharField(max_length=254, blank=True)
    address = models.GenericIPAddressField(null=True)
    #: One sentence with the particulars, without anything secret.
    detail = models.TextField(blank=True)

    class Meta:
        verbose_name_plural = "audit entries"
        indexes = [
            models.Index(fields=["-at", "-id"], name="audit_at_idx"),
            models.Index(fields=["kind", "-id"], name="audit_kind_idx"),
            models.Index(fields=["person", "-id"], name="audit_person_idx"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.email or 'nobody'}"


class CacheEntry(models.Model):
    """A row of Django's database cache, in which tries to sign in are counted: the database is there whenever the site is,
    a broker may be away. The columns are those of `createcachetable`."""

    cache_key = models.CharField(max_length=255, primary_key=True)
    value = models.TextField()
    expires = models.DateTimeField(db_index=True)

    class Meta:
        verbose_name_plural = "cache entries"
        db_table = "loadify_cache"

    def __str__(self) -> str:
        return self.cache_key
