// A third party: verifies a receipt with the official SDK's offer-receipt extension. In: {receipts, document, url};
// out: {eip712, jws, account}. The SDK would fetch the kid's DID document by https; here the document is given, and
// where the kid leads to is compared.
import { readFileSync } from "node:fs";
import { extractJWSHeader, verifyReceiptSignatureEIP712, verifyReceiptSignatureJWS } from "@x402/extensions/offer-receipt";

const { receipts, document, url } = JSON.parse(readFileSync(0, "utf8"));
const [typed, jws] = ["eip712", "jws"].map((format) => receipts.find((one) => one.format === format));
const { signer } = await verifyReceiptSignatureEIP712(typed);

const { kid } = extractJWSHeader(jws.signature);
// did:web: colons are slashes, %3A is a port's colon; the document is did.json below that, by http on this machine.
const [host, ...path] = kid.split("#")[0].split(":").slice(2).map(decodeURIComponent);
const scheme = /^(localhost|127[.]0[.]0[.]1)(:|$)/.test(host) ? "http" : "https";
const resolved = `${scheme}://${[host, ...path].join("/")}/did.json`;
if (resolved !== url) throw new Error(`the kid leads to ${resolved}, not to ${url}`);
const method = document.verificationMethod.find((one) => one.id === kid);
let said = false;
try {
  said = await verifyReceiptSignatureJWS(jws, method.publicKeyJwk);
} catch (error) {
  if (error.code !== "ERR_JWS_SIGNATURE_VERIFICATION_FAILED") throw error;
}
const account = document.verificationMethod.map((one) => one.blockchainAccountId).find(Boolean);
process.stdout.write(JSON.stringify({ eip712: signer, jws: said, account }));
