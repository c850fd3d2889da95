// Runs once, when the database is made: the hub's own user, who may do anything in its database and nothing elsewhere.
const fs = require("fs");
const pwd = fs.readFileSync("/run/secrets/mongodb-password", "utf8").trim();
db.getSiblingDB("hub").createUser({ user: "hub", pwd, roles: [{ role: "dbOwner", db: "hub" }] });
