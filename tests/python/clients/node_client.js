// The script of test_clients.py with snowflake-sdk: its folder is the first argument, the script's JSON the second.
"use strict";
const crypto = require("crypto");
const snowflake = require(process.argv[2]);
const { version } = require(`${process.argv[2]}/package.json`);
const given = JSON.parse(process.argv[3]);

snowflake.configure({ logLevel: "OFF", additionalLogToConsole: false });

const wait = (seconds) => new Promise((done) => setTimeout(done, 1000 * seconds));

async function control(path, body) {
  const url = `http://127.0.0.1:${given.port}/emulator/${path}`;
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
}

const connection = snowflake.createConnection({
  accessUrl: `http://127.0.0.1:${given.port}`,
  account: "emulator",
  username: "tester",
  password: "tester",
  database: "RAW",
  schema: "J",
  clientSessionKeepAlive: false,
  forceGCPUseDownscopedCredential: false,
});

function execute(sqlText, more = {}) {
  return new Promise((done, fail) => {
    connection.execute({
      sqlText,
      rowMode: "array",
      ...more,
      complete: (error, statement, rows) => (error ? fail(error) : done({ statement, rows })),
    });
  });
}

const count = async () => Number((await execute("SELECT COUNT(*) FROM T")).rows[0][0]);

// Rows as they come, chunk by chunk.
async function large() {
  const { statement } = await execute(given.large, { streamResult: true });
  const digest = crypto.createHash("sha256");
  let total = 0;
  for await (const [number, text] of statement.streamRows()) {
    digest.update(`${number} ${text}\n`);
    total += 1;
  }
  return [total, digest.digest("hex")];
}

async function cancelled() {
  const { statement } = await execute("SELECT SYSTEM$WAIT(60)", { asyncExec: true });
  const query = statement.getQueryId();
  await new Promise((done, fail) => statement.cancel((error) => (error ? fail(error) : done())));
  for (let i = 0; i < 200 && connection.isStillRunning(await connection.getQueryStatus(query)); i += 1) await wait(0.05);
  return connection.getQueryStatus(query);
}

async function main() {
  const found = { version };
  await new Promise((done, fail) => connection.connect((error) => (error ? fail(error) : done())));
  found.login = (await execute("SELECT CURRENT_USER(), CURRENT_DATABASE(), CURRENT_SCHEMA()")).rows[0];
  for (const sql of given.ddl) await execute(sql);
  found.dml = [];
  for (const sql of given.dml) found.dml.push((await execute(sql)).statement.getNumUpdatedRows());
  found.large = await large();
  found.long = (await execute("SELECT SYSTEM$WAIT(3)")).rows[0][0];
  found.cancel = await cancelled();
  await execute(`PUT 'file://${given.file}' @S/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE`);
  await execute(given.copy);
  await execute(`PUT 'file://${given.file}' @E/load AUTO_COMPRESS=FALSE OVERWRITE=TRUE`);
  await execute(`GET @E/load/ 'file://${given.back}/'`);
  found.copy = await count();
  found.transaction = [];
  for (const end of ["ROLLBACK", "COMMIT"]) {
    await execute("BEGIN");
    await execute("INSERT INTO T SELECT 900, 'x'");
    found.transaction.push(await count());
    await execute(end);
    found.transaction.push(await count());
  }
  await execute("BEGIN");
  await execute("INSERT INTO T SELECT 901, 'x'");
  await control("expire", { what: "session" });
  await execute("INSERT INTO T SELECT 902, 'x'");
  await execute("COMMIT");
  found.expiry = await count();
  try {
    await execute("SELECT * FROM NO_TABLE");
  } catch (error) {
    found.error = [Number(error.code), error.sqlState];
  }
  await new Promise((done, fail) => connection.destroy((error) => (error ? fail(error) : done())));
  return found;
}

main().then(
  (found) => {
    console.log(JSON.stringify(found));
    process.exit(0);
  },
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
