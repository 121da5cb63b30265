'use strict';
// Swagger UI over this service's own description. Nothing is asked of anybody else, and a token that is typed in is forgotten with the page.
SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#ui',
  deepLinking: true,
  defaultModelExpandDepth: 2,
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  tryItOutEnabled: true,
  validatorUrl: null,
});
