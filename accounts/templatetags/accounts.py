"""What the sign-in page says of accounts. `{% load accounts %}`"""

from allauth.account.adapter import get_adapter
from django import template
from django.conf import settings
from django.template.context import RequestContext

register = template.Library()


@register.simple_tag
def sends_mail() -> bool:
    """True when the site has a mail server."""
    return bool(settings.EMAIL_HOST)


@register.simple_tag(takes_context=True)
def signup_open(context: RequestContext) -> bool:
    """True when anybody may make an account."""
    return bool(get_adapter().is_open_for_signup(context["request"]))
