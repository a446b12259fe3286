"""The API, version 1: its routers, who may call it, and its errors."""

from django.conf import settings

from accounts.models import Right
from api import cards, contacts, datasets, exports, held, imports, problems, products, webhooks
from api.access import callers
from api.document import Api

api = Api(
    title="Loadify",
    version=settings.LOADIFY_VERSION,
    description="Loadify for programs. Errors are problem documents (RFC 9457); lists go by cursors.",
    urls_namespace="api",
    auth=callers(Right.READ),
    docs_url=None,
)
problems.install(api)
api.add_router("/imports", imports.router)
api.add_router("/datasets", datasets.router)
api.add_router("/products", products.router)
api.add_router("/cards", cards.router)
api.add_router("/contacts", contacts.router)
api.add_router("/held", held.router)
api.add_router("/exports", exports.router)
api.add_router("/webhooks", webhooks.router)
