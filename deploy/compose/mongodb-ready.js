// The health check: begins the replica set the first time, then asks whether its only member takes writes.
const fs = require("fs");
const password = fs.readFileSync("/run/secrets/mongodb-root-password", "utf8").trim();
db.getSiblingDB("admin").auth("root", password);
try {
  rs.status();
} catch (error) {
  if (error.codeName !== "NotYetInitialized") throw error;
  rs.initiate({ _id: "hub", members: [{ _id: 0, host: "mongodb:27017" }] });
}
if (!db.hello().isWritablePrimary) quit(1);
