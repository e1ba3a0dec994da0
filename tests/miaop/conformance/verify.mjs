// T06: discovery, keys, and the signature of an access token, verified by Node's own cryptography.
import { createPublicKey, verify } from "node:crypto";

const { KEYCLOAK_BASE_URL: base, TENANT: tenant, TOKEN: token } = process.env;
const read = async (url) => (await fetch(url)).json();
const discovery = await read(`${base}/realms/${tenant}/.well-known/openid-configuration`);
const { keys } = await read(discovery.jwks_uri.replace(new URL(discovery.issuer).origin, base));
const [head, body, signature] = token.split(".");
const part = (text) => JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
const key = createPublicKey({ key: keys.find(({ kid }) => kid === part(head).kid), format: "jwk" });
const good = verify("RSA-SHA256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"));
console.log(JSON.stringify({ good, alg: part(head).alg, issuer: discovery.issuer, iss: part(body).iss }));
