"""What templates say of imports: pictures of numbers, and why a line was rejected. `{% load imports %}`"""

from collections.abc import Sequence

from django import template
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser

from importer import pictures
from importer.access import may_see_rows
from importer.models import Import, Reject
from importer.progress import Bucket

register = template.Library()


@register.filter
def stacked(buckets: Sequence[Bucket]) -> list[tuple[Bucket, float, float]]:
    """Each bucket with its left edge and width in a bar that is 1,000 wide."""
    return [
        (bucket, left, width)
        for bucket, (left, width) in zip(buckets, pictures.widths([bucket.count for bucket in buckets]), strict=True)
        if width
    ]


@register.filter
def area(points: Sequence[pictures.Point]) -> str:
    """The outline of the speed over time, in a box of 600 × 100."""
    return pictures.area(points)


@register.filter
def peak(points: Sequence[pictures.Point]) -> float:
    """The highest speed, in rows per second."""
    return max((point.rate for point in points), default=0.0)


@register.filter
def span(points: Sequence[pictures.Point]) -> float:
    """How many seconds the picture covers."""
    return points[-1].at + points[-1].seconds if points else 0.0


@register.filter
def why(reject: Reject) -> str:
    """The sentence without the line it begins with, for lists that show the line in front."""
    return reject.reason.removeprefix(f"Line {reject.line}: ")


@register.filter
def as_cell(value: object) -> str:
    """A value of a row as a file would have it: “true”, not “True”."""
    return str(value).lower() if isinstance(value, bool) else str(value)


@register.filter
def shows_rows_to(run: Import, user: AbstractBaseUser | AnonymousUser) -> bool:
    """True when `user` may see the name of the file and its lines."""
    return may_see_rows(user, run)
