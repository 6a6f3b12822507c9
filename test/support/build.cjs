// Worker threads and job processes load compiled code: build it once before the tests.
const { execFileSync } = require("node:child_process");
const path = require("node:path");

module.exports = () => {
  if (process.env.ANTIDOTE_SKIP_BUILD) return;
  const root = path.join(__dirname, "../..");
  execFileSync(process.execPath, [path.join(root, "node_modules/typescript/bin/tsc")], { cwd: root, stdio: "inherit" });
};
