// A third party: verifies a receipt with software of others, as the official SDK's offer-receipt extension does
// (verifyReceiptSignatureEIP712 is viem's recoverTypedDataAddress over these types; verifyReceiptSignatureJWS is
// ES256K with the key of the kid's DID document). In: {receipts, document, url}; out: {eip712, jws, account}.
import { createPublicKey, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { recoverTypedDataAddress } from "viem";

const RECEIPT = [
  { name: "version", type: "uint256" },
  { name: "network", type: "string" },
  { name: "resourceUrl", type: "string" },
  { name: "payer", type: "string" },
  { name: "issuedAt", type: "uint256" },
  { name: "transaction", type: "string" },
];

const { receipts, document, url } = JSON.parse(readFileSync(0, "utf8"));
const [typed, jws] = ["eip712", "jws"].map((format) => receipts.find((one) => one.format === format));

const { payload } = typed;
const eip712 = await recoverTypedDataAddress({
  domain: { name: "x402 receipt", version: "1", chainId: 1 },
  types: { Receipt: RECEIPT },
  primaryType: "Receipt",
  message: { ...payload, version: BigInt(payload.version), issuedAt: BigInt(payload.issuedAt) },
  signature: typed.signature,
});

const [header, body, signature] = jws.signature.split(".");
const { alg, kid } = JSON.parse(Buffer.from(header, "base64url").toString());
if (alg !== "ES256K") throw new Error(`unexpected alg ${alg}`);
// did:web: colons are slashes, %3A is a port's colon; the document is did.json below that, by http on this machine.
const [host, ...path] = kid.split("#")[0].split(":").slice(2).map(decodeURIComponent);
const scheme = /^(localhost|127[.]0[.]0[.]1)(:|$)/.test(host) ? "http" : "https";
const resolved = `${scheme}://${[host, ...path].join("/")}/did.json`;
const method = document.verificationMethod.find((one) => one.id === kid);
const good = verify(
  "sha256",
  Buffer.from(`${header}.${body}`),
  { key: createPublicKey({ key: method.publicKeyJwk, format: "jwk" }), dsaEncoding: "ieee-p1363" },
  Buffer.from(signature, "base64url"),
);
const account = document.verificationMethod.map((one) => one.blockchainAccountId).find(Boolean);
if (resolved !== url) throw new Error(`the kid leads to ${resolved}, not to ${url}`);
process.stdout.write(
  JSON.stringify({ eip712, jws: good && JSON.parse(Buffer.from(body, "base64url").toString()), account }),
);
