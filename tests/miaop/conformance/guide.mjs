// T01: the flow of the guide with fetch and FormData: sign in, submit one file, poll, list, read meeting and transcript.
import { readFile } from "node:fs/promises";

const env = process.env;
const [path, name, language] = process.argv.slice(2);

async function signIn() {
  const response = await fetch(`${env.KEYCLOAK_BASE_URL}/realms/${env.TENANT}/protocol/openid-connect/token`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      client_id: "browser_client",
      grant_type: "password",
      username: env.USERNAME,
      password: env.PASSWORD,
    }),
  });
  return (await response.json()).access_token;
}

const headers = { Authorization: `Bearer ${await signIn()}` };
const read = async (address) => (await fetch(`${env.API_BASE_URL}${address}`, { headers })).json();
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

const task = {
  tenant: env.TENANT,
  taskName: "Offline Upload Task",
  taskType: "offline",
  taskCreationTime: "15.07.2025 10:30",
  taskUpdateTime: "15.07.2025 10:30",
  taskStatus: "sttPending",
  baseLanguages: [language],
  meetings: [{ files: [{ file: name, baseLanguage: language }], aiGenerationMode: "auto" }],
  docSections: [],
  supervisor: { name: "", email: env.SUPERVISOR_EMAIL },
};
const form = new FormData();
form.append("task", JSON.stringify(task));
form.append("soundBlob", new Blob([await readFile(path)]), name);
const upload = await fetch(`${env.API_BASE_URL}/hrec`, { method: "POST", headers, body: form });
const { taskId } = await upload.json();

const seen = [];
let found;
do {
  await pause(0.5);
  found = await read(`/api/task/${taskId}`);
  seen.push([found.taskStatus, found.sttRemainingTime]);
} while (!["sttDone", "error"].includes(found.taskStatus));

const filter = {
  $and: [
    { "extraData.taskUpdateTimeNumeric": { $gte: Date.now() - 3600000, $lt: Date.now() + 60000 } },
    { "extraData.archive": { $ne: true } },
    { "extraData.tenant": env.TENANT },
    { "extraData.supervisor.email": env.SUPERVISOR_EMAIL },
  ],
};
const list = await read(`/api/tasks?filter=${encodeURIComponent(JSON.stringify(filter))}`);
const meetingId = `1.${taskId}`;
const meeting = await read(`/api/meetings/${meetingId}`);
const stt = await read(`/api/stt/${meetingId}/0`);
console.log(JSON.stringify({ status: upload.status, task: found, seen, listed: list.map((one) => one.taskId), meeting, stt }));
