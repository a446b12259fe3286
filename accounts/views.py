"""Pages about oneself and one's tokens, and for admins about people and the log of what counts."""

from urllib.parse import urlencode

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import people, tokens
from accounts.access import person
from accounts.forms import AuditFilter, NewPerson, NewToken
from accounts.models import AuditEntry, Right, Role, Token, User
from accounts.rights import needs
from pages.paging import page

PAGE = 50


@require_safe
def profile(request: HttpRequest) -> HttpResponse:
    """Who one is, how one signs in, and the tokens of one's programs."""
    who = person(request)
    context = {
        "role": Role(who.role).label,
        "has_second_factor": is_mfa_enabled(who),
        "page": page(Token.objects.filter(user=who), request.GET.get("page", ""), ("id",), PAGE, descending=True),
    }
    return render(request, "accounts/profile.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest) -> HttpResponse:
    """The form of a token, and the key that comes of it: in this answer, and nowhere else."""
    form = NewToken(person(request), request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "accounts/token_new.html", {"form": form}, status=422 if form.is_bound else 200)
    token, key = tokens.make(person(request), form.cleaned_data["name"], form.rights(), form.expires_at())
    return render(request, "accounts/token.html", {"token": token, "key": key})


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask, and end one of one's own tokens."""
    token = get_object_or_404(Token, pk=pk, user=person(request))
    if request.method != "POST":
        return render(request, "accounts/token_revoke.html", {"token": token})
    tokens.revoke(token, person(request))
    messages.success(request, f"{token.name} is revoked. What comes with it is refused from now on.")
    return redirect("profile")


@require_safe
@needs(Right.ADMIN)
def index(request: HttpRequest) -> HttpResponse:
    """Everybody, newest first, narrowed down by a piece of the e-mail address or the name."""
    typed = request.GET.get("q", "").replace("\0", "").strip()[:254]
    found = User.objects.filter(email__icontains=typed) | User.objects.filter(name__icontains=typed)
    context = {
        "page": page(found if typed else User.objects.all(), request.GET.get("page", ""), ("id",), PAGE, descending=True),
        "typed": typed,
        "address": urlencode({"q": typed}) if typed else "",
        "roles": Role.choices,
    }
    return render(request, "accounts/people.html", context)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@needs(Right.ADMIN)
def new_person(request: HttpRequest) -> HttpResponse:
    """The form of a new person, and the link by which they set a password."""
    form = NewPerson(request.POST if request.method == "POST" else None)
    if form.is_valid():
        data = form.cleaned_data
        try:
            added = people.add(data["email"], data["name"], Role(data["role"]), person(request))
            return _invited(request, added)
        except people.PeopleProblem as problem:
            form.add_error("email", str(problem))
    return render(request, "accounts/person_new.html", {"form": form}, status=422 if form.is_bound else 200)


@never_cache
@require_POST
@needs(Right.ADMIN)
def invite(request: HttpRequest, pk: int) -> HttpResponse:
    """Make a new link for somebody who has lost theirs, or the password."""
    return _invited(request, get_object_or_404(User, pk=pk, is_active=True))


@require_POST
@needs(Right.ADMIN)
def change_person(request: HttpRequest, pk: int) -> HttpResponse:
    """Give somebody another `role`, or keep them out or let them in (`on`)."""
    try:
        if request.POST.get("role") in Role.values:
            changed = people.change_role(pk, Role(request.POST["role"]), person(request))
            messages.success(request, f"{changed.email} is {'an' if changed.role[0] in 'ae' else 'a'} {changed.role} now.")
        else:
            changed = people.switch(pk, request.POST.get("on") == "1", person(request))
            messages.success(request, f"{changed.email} {'may sign in again' if changed.is_active else 'is kept out'}.")
    except people.PeopleProblem as problem:
        messages.error(request, str(problem))
    return redirect("people")


@require_safe
@needs(Right.ADMIN)
def audit_log(request: HttpRequest) -> HttpResponse:
    """What was done that people may ask about later, newest first."""
    form = AuditFilter(request.GET)
    found = AuditEntry.objects.select_related("person")
    asked = form.cleaned_data if form.is_valid() else {}
    if asked.get("kind"):
        found = found.filter(kind=asked["kind"])
    if asked.get("who"):
        found = found.filter(email__iexact=asked["who"])
    if asked.get("day"):
        found = found.filter(at__date=asked["day"])
    kept = {name: request.GET[name] for name in ("kind", "who", "day") if asked.get(name)}
    context = {
        "page": page(found, request.GET.get("page", ""), ("id",), PAGE, descending=True),
        "form": form,
        "narrowed": bool(kept),
        "address": urlencode(kept),
    }
    return render(request, "accounts/audit.html", context)


def _invited(request: HttpRequest, added: User) -> HttpResponse:
    mailed = people.invite(added, person(request))
    return render(request, "accounts/invited.html", {"added": added, "link": people.password_link(added), "mailed": mailed})
