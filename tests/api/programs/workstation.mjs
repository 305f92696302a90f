// Written for AgentStation: nothing here knows of a portal.
const workstations = `${process.env.BASE_URL}/workstations`;

async function call(method, path = "", body = undefined) {
  const headers = { Authorization: `Bearer ${process.env.API_KEY}` };
  if (body) headers["Content-Type"] = "application/json";
  return fetch(workstations + path, { method, headers, body: body && JSON.stringify(body) });
}

async function count(id) {
  const page = await (await call("GET", "?limit=100")).json();
  return page.data.filter((one) => one.id === id).length;
}

const answer = await call("POST", "", { type: "python" });
if (!answer.ok) throw new Error(await answer.text());
const made = await answer.json();
console.log(made.type, made.status);
console.log("listed", await count(made.id));
console.log((await (await call("GET", `/${made.id}`)).json()).status);
const released = await (await call("DELETE", `/${made.id}/release`)).json();
console.log(released.type, released.released);
console.log("listed", await count(made.id));
console.log((await call("GET", `/${made.id}`)).status);
