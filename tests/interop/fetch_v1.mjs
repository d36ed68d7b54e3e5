// The same with the client of x402 version 1, x402-fetch, which reads the 402's body and sends X-PAYMENT.
import { createSigner, decodeXPaymentResponse, wrapFetchWithPayment } from "x402-fetch";

const [url, key] = process.argv.slice(2);
const answer = await wrapFetchWithPayment(fetch, await createSigner("base-sepolia", key))(url);
const headers = Object.fromEntries(answer.headers);
const receipt = headers["x-payment-response"];
if (receipt !== undefined) decodeXPaymentResponse(receipt);
process.stdout.write(JSON.stringify({ status: answer.status, body: await answer.text(), headers }));
