"""The people of the site: added, given another role, kept out and let in again; each time the log hears of it."""

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.db import IntegrityError, transaction
from django.urls import reverse

from accounts import audit
from accounts.models import Role, User


class PeopleProblem(Exception):
    """A sentence for the admin."""


def add(email: str, name: str, role: Role, admin: User) -> User:
    """Make an account without a password; `password_link` leads to where its owner sets one. Raises PeopleProblem."""
    try:
        with transaction.atomic():
            person = User.objects.create_user(email, None, name=name, role=role)
            audit.record(audit.Kind.PERSON_ADDED, admin, f"{person.email} as {role.value}")
    except IntegrityError:
        raise PeopleProblem("Somebody with this e-mail address is here already.") from None
    return person


def password_link(person: User) -> str:
    """Where the person sets a password; works once, for as long as PASSWORD_RESET_TIMEOUT says."""
    key = f"{user_pk_to_url_str(person)}-{default_token_generator.make_token(person)}"
    uid, _, token = key.partition("-")
    return f"{settings.LOADIFY_URL}{reverse('account_reset_password_from_key', kwargs={'uidb36': uid, 'key': token})}"


def invite(person: User, admin: User) -> bool:
    """Write down that `admin` has a link made for the person, and send it there, where the site sends mail; says whether it
    does."""
    audit.record(audit.Kind.LINK_MADE, admin, f"For {person.email}")
    if not settings.EMAIL_HOST:
        return False
    text = (
        f"{admin} has made an account for you at {settings.LOADIFY_URL}\n\n"
        f"Choose a password here, within three days: {password_link(person)}\n"
    )
    send_mail("Your account at Loadify", text, None, [person.email])
    return True


def change_role(pk: int, role: Role, admin: User) -> User:
    """Raises PeopleProblem for oneself, and for the last admin."""
    with transaction.atomic():
        person = _locked(pk, admin)
        if person.role == role:
            return person
        before, person.role = person.role, role
        person.save(update_fields=["role"])
        _check_admins()
        audit.record(audit.Kind.ROLE_CHANGED, admin, f"{person.email} from {before} to {role.value}")
    return person


def switch(pk: int, on: bool, admin: User) -> User:
    """Let somebody in, or keep them out from their next request on, by whatever way they come. Raises PeopleProblem."""
    with transaction.atomic():
        person = _locked(pk, admin)
        if person.is_active == on:
            return person
        person.is_active = on
        person.save(update_fields=["is_active"])
        _check_admins()
        audit.record(audit.Kind.PERSON_SWITCHED, admin, f"{person.email} is {'let in again' if on else 'kept out'}")
    return person


def _locked(pk: int, admin: User) -> User:
    """The person, with all admins locked, so that two of them cannot remove each other. Raises PeopleProblem."""
    list(User.objects.select_for_update().filter(role=Role.ADMIN).order_by("pk"))
    person = User.objects.select_for_update().filter(pk=pk).first()
    if person is None:
        raise PeopleProblem("This person is not here any more.")
    if person.pk == admin.pk:
        raise PeopleProblem("Your own role and account are for another admin to change.")
    if not User.objects.filter(pk=admin.pk, role=Role.ADMIN, is_active=True).exists():
        raise PeopleProblem("You are no admin any more.")
    return person


def _check_admins() -> None:
    if not User.objects.filter(role=Role.ADMIN, is_active=True).exists():
        raise PeopleProblem("The site would be without an admin.")
