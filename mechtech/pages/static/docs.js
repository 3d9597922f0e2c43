// Swagger UI shows /openapi.json. A call that is answered with a token authorizes the next ones with it.
const TOKENS = { token: "userToken", bookingToken: "bookingToken" };

const ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  tryItOutEnabled: true,
  validatorUrl: null, // it would be another host
  responseInterceptor(response) {
    for (const [field, scheme] of Object.entries(TOKENS)) {
      const token = response.body?.[field];
      if (typeof token === "string") ui.preauthorizeApiKey(scheme, token);
    }
    return response;
  },
});
