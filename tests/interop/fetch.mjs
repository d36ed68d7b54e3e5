// Pay for one GET with the official @x402/fetch, its defaults and a key; print what came back as JSON.
import { wrapFetchWithPayment, x402Client } from "@x402/fetch";
import { ExactEvmScheme } from "@x402/evm/exact/client";
import { privateKeyToAccount } from "viem/accounts";

const [url, key] = process.argv.slice(2);
const client = new x402Client().register("eip155:*", new ExactEvmScheme(privateKeyToAccount(key)));
const answer = await wrapFetchWithPayment(fetch, client)(url);
const headers = Object.fromEntries(answer.headers);
process.stdout.write(JSON.stringify({ status: answer.status, body: await answer.text(), headers }));
