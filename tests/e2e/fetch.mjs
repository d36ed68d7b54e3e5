// Pay for one GET with the official @x402/fetch, its defaults and a key; print what came back as JSON.
import { wrapFetchWithPayment, x402Client, decodePaymentResponseHeader } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { privateKeyToAccount } from "viem/accounts";

const [url, key] = process.argv.slice(2);
const client = new x402Client().register("eip155:*", new ExactEvmScheme(privateKeyToAccount(key)));
const answer = await wrapFetchWithPayment(fetch, client)(url);
const receipt = answer.headers.get("payment-response");
process.stdout.write(
  JSON.stringify({
    status: answer.status,
    body: await answer.text(),
    receipt: receipt === null ? null : decodePaymentResponseHeader(receipt),
  }),
);
