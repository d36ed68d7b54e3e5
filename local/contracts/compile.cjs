// node compile.cjs <repository>: prints {"Token": {abi, bytecode}, "Batch": {...}} as JSON.
const fs = require("fs");
const path = require("path");

const root = path.resolve(process.argv[2]);
const modules = path.join(root, "node_modules");
const solc = require(path.join(modules, "solc"));
const names = ["Token", "Batch"];

const input = {
  language: "Solidity",
  sources: Object.fromEntries(
    names.map((name) => [name, { content: fs.readFileSync(path.join(root, "local", "contracts", `${name}.sol`), "utf8") }]),
  ),
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
  },
};
const find = (name) => ({ contents: fs.readFileSync(path.join(modules, name), "utf8") });
const output = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
const errors = (output.errors || []).filter((problem) => problem.severity === "error");
if (errors.length > 0) {
  process.stderr.write(errors.map((problem) => problem.formattedMessage).join("\n"));
  process.exit(1);
}
process.stdout.write(
  JSON.stringify(
    Object.fromEntries(
      names.map((name) => {
        const contract = output.contracts[name][name];
        return [name, { abi: contract.abi, bytecode: `0x${contract.evm.bytecode.object}` }];
      }),
    ),
  ),
);
