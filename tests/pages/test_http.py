"""One view serves a page and its part."""

import pytest
from django.test import RequestFactory
from django_htmx.middleware import HtmxDetails

from pages.http import render_part


@pytest.fixture
def templates(settings):
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"page.html": "<html>{% include '_part.html' %}</html>", "_part.html": "{{ word }}"},
                    )
                ]
            },
        }
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"<html>hello</html>"),
        ({"HX-Request": "true"}, b"hello"),
        ({"HX-Request": "true", "HX-Boosted": "true"}, b"<html>hello</html>"),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, b"<html>hello</html>"),
        ({"HX-Request": "nonsense"}, b"<html>hello</html>"),
    ],
)
def test_the_part_goes_to_htmx_and_the_page_to_all_others(templates, headers, body):
    request = RequestFactory().get("/", headers=headers)
    request.htmx = HtmxDetails(request)
    response = render_part(request, "page.html", "_part.html", {"word": "hello"}, status=422)
    assert response.content == body
    assert response.status_code == 422
    assert response["Vary"] == "HX-Request, HX-History-Restore-Request, HX-Boosted"
