"""What the sign-in page says of accounts. `{% load accounts %}`"""

from allauth.account.adapter import get_adapter
from django import template
from django.template.context import RequestContext

register = template.Library()


@register.simple_tag(takes_context=True)
def signup_open(context: RequestContext) -> bool:
    """True when anybody may make an account."""
    return bool(get_adapter().is_open_for_signup(context["request"]))
