// Runs a command of package.json in a clone that may be fresh: checks Node, installs what the lock file wants and node_modules
// lacks, then hands over to the packaged Node. Plain JavaScript without static imports, so that an old Node gets as far as the
// one line that says so.
//
//   node scripts/bootstrap.mjs [NAME=value ...] [node flags] <file with a slash | tool in node_modules/.bin> [arguments]

const LEAST_NODE_TO_INSTALL = 20;

if (parseInt(process.versions.node, 10) < LEAST_NODE_TO_INSTALL) {
  console.error(
    "signalbox: Node " + LEAST_NODE_TO_INSTALL + " or newer is needed, this is " + process.version + ". See https://nodejs.org",
  );
  process.exitCode = 78;
} else {
  void import("./bootstrap/run.mjs").then(function (module) {
    return module.run(process.argv.slice(2));
  });
}
