"""Single sign-on of a tenant's people by OpenID Connect: authorization code, PKCE, state, nonce."""
