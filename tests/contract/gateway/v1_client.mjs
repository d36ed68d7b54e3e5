// One GET with the official x402-fetch (v1) and a key. What it would send goes out as a line of JSON, the
// answers come in as lines, so that the test is its network. The last line is what the client made of it.
import { createInterface } from "node:readline";
import { decodeXPaymentResponse, wrapFetchWithPayment } from "x402-fetch";
import { createWalletClient, http } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";

const [key, skew] = process.argv.slice(2);
const clock = Date.now;
Date.now = () => clock() + Number(skew) * 1000; // the chain under test may be ahead of this machine

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
const network = async (url, init) => {
  say({ headers: init?.headers ?? {} });
  const { status, headers, body } = JSON.parse((await lines.next()).value);
  return new Response(body, { status, headers });
};
const wallet = createWalletClient({
  account: privateKeyToAccount(key),
  chain: baseSepolia,
  transport: http("http://127.0.0.1:9"), // signing asks no node
});
const answer = await wrapFetchWithPayment(network, wallet)("https://api.example/weather/paris");
const receipt = answer.headers.get("x-payment-response");
say({ status: answer.status, body: await answer.text(), receipt: receipt && decodeXPaymentResponse(receipt) });
process.exit(0);
