// Draws the operations of the API from their document, with Swagger UI.

const place = document.querySelector("#operations");
const own = new URL(place.dataset.document, location.href);

SwaggerUIBundle({
    url: own.href,
    domNode: place,
    deepLinking: true,
    displayRequestDuration: true,
    // It would show the document to a service of Swagger's makers.
    validatorUrl: null,
    requestInterceptor(request) {
        // The session's operations want it; no other site is to learn it.
        if (new URL(request.url, location.href).origin === location.origin) {
            request.headers["X-CSRFToken"] = place.dataset.csrf;
        }
        return request;
    },
});
