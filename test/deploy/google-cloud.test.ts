import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PushIdentities } from "../../src/config/credentials.ts";
import { readText, repositoryFiles, ROOT } from "../repository/source.ts";

/** Stands in for gcloud: writes each call down, says that something exists once it was created, and knows one project number. */
const FAKE_GCLOUD = `#!/usr/bin/env bash
printf '%s\\n' "$*" >> "$CALLS"
case "$*" in
  *" describe "*"projectNumber"*) echo 123456789012 ;;
  *" describe "*) name="$(sed -E 's/.* describe ([^ ]+).*/\\1/' <<< "$*")"; grep -qE "^$1 $2 create \${name%%@*}( |$)" "$CALLS" ;;
esac
`;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "signalbox-gcloud-"));
  writeFileSync(join(folder, "gcloud"), FAKE_GCLOUD, { mode: 0o755 });
});
afterAll(() => rmSync(folder, { recursive: true }));

function setUp(log: string): string[] {
  return run(log).made;
}

/** What was asked of gcloud, and what was said to whoever ran it. */
function run(log: string, ...more: string[]): { made: string[]; said: string } {
  const path = join(folder, log);
  const before = calls(path).length;
  const said = execFileSync("bash", [join(ROOT, "deploy", "google-cloud.sh"), "signalbox-test", "europe-west1", ...more], {
    env: { ...process.env, CALLS: path, PATH: `${folder}${delimiter}${process.env.PATH}` },
    stdio: "pipe",
    encoding: "utf8",
  });
  return { made: calls(path).slice(before), said };
}

function calls(path: string): string[] {
  try {
    return readFileSync(path, "utf8").trim().split("\n");
  } catch {
    return [];
  }
}

test("makes the topics and subscriptions the manifests and the autoscaler name", () => {
  const made = setUp("first.log").filter((call) => / create /.test(call));
  const topics = made.filter((call) => call.startsWith("pubsub topics")).map((call) => call.split(" ")[3]);
  expect(topics).toEqual(["signalbox-work", "signalbox-events", "signalbox-lifecycle", "signalbox-dead-letter"]);
  const subscriptions = made.filter((call) => call.startsWith("pubsub subscriptions"));
  const [, scaled] = /subscription_id: (\S+)/.exec(readText("k8s/components/gke/autoscalers.yaml")) ?? [];
  expect(subscriptions.map((call) => call.split(" ")[3])).toContain(scaled);
  for (const call of subscriptions) expect(topics).toContain(/--topic=(\S+)/.exec(call)?.[1]);
  const events = subscriptions.find((call) => call.includes("create signalbox-events"));
  expect(events).toMatch(/--enable-message-ordering .*--dead-letter-topic=signalbox-dead-letter/);
});

test("makes every topic that the code names, and lets the worker publish to those it writes", () => {
  const made = setUp("topics.log");
  const named = repositoryFiles()
    .filter((path) => path.startsWith("src/adapters/pubsub/"))
    .flatMap((path) => [...readText(path).matchAll(/`\$\{prefix\}-([a-z-]+)`/g)].map(([, name = ""]) => name));
  expect(named.length).toBeGreaterThan(2);
  for (const name of named)
    expect(
      made.some((call) => call.startsWith(`pubsub topics create signalbox-${name} `)),
      name,
    ).toBe(true);
  for (const name of ["work", "lifecycle"]) {
    const grant = made.find(
      (call) => call.startsWith(`pubsub topics add-iam-policy-binding signalbox-${name} `) && call.includes(":signalbox-worker@"),
    );
    expect(grant, name).toContain("roles/pubsub.publisher");
  }
});

test("run again, it makes nothing twice", () => {
  setUp("twice.log");
  expect(setUp("twice.log").filter((call) => / create /.test(call))).toEqual([]);
});

test("pushes a topic to the service where it is asked to, with the setting that lets exactly these pushes in", () => {
  const { made, said } = run("push.log", "orders", "signalbox.example.com");
  const subscription = made.find((call) => call.startsWith("pubsub subscriptions create signalbox-push-orders ")) ?? "";
  const option = (name: string) => new RegExp(`--${name}=(\\S+)`).exec(subscription)?.[1];
  expect(option("topic")).toBe("orders");
  expect(option("push-endpoint")).toBe("https://signalbox.example.com/push/pubsub");
  const setting = /^SIGNALBOX_PUSH=(.*)$/m.exec(said)?.[1] ?? "";
  expect(PushIdentities.parse(JSON.parse(setting))).toMatchObject([
    { tenant: "default", audience: option("push-auth-token-audience"), emails: [option("push-auth-service-account")] },
  ]);
  const account = option("push-auth-service-account") ?? "";
  const granted = made.filter((call) => call.includes("add-iam-policy-binding") && call.includes(account));
  expect(granted).toHaveLength(1);
  expect(granted[0]).toContain("--member=serviceAccount:service-123456789012@gcp-sa-pubsub.iam.gserviceaccount.com");
  expect(granted[0]).toContain("--role=roles/iam.serviceAccountTokenCreator");
  const again = run("push.log", "orders", "signalbox.example.com");
  expect(again.made.filter((call) => / create /.test(call))).toEqual([]);
  expect(again.said).toBe(said);
  // A topic without a host, or with an address: nothing is made.
  for (const wrong of [["orders"], ["orders", "https://signalbox.example.com"]]) {
    expect(() => run("wrong.log", ...wrong)).toThrow(/usage/);
    expect(calls(join(folder, "wrong.log"))).toEqual([]);
  }
});

test("grants what the work needs and nothing that administers", () => {
  const grants = setUp("roles.log").filter((call) => call.includes("add-iam-policy-binding"));
  const roles = new Set(grants.map((call) => /--role=(\S+)/.exec(call)?.[1]));
  expect(roles).toEqual(
    new Set([
      "roles/datastore.user",
      "roles/iam.workloadIdentityUser",
      "roles/pubsub.publisher",
      "roles/pubsub.subscriber",
      "roles/telemetry.tracesWriter",
    ]),
  );
  const api = grants.filter((call) => call.includes("serviceAccount:signalbox-api@"));
  expect(api.some((call) => call.includes("roles/pubsub.subscriber"))).toBe(false);
});

test("binds the Kubernetes service accounts that the manifests use, by the names they use", () => {
  const bindings = setUp("identities.log").filter((call) => call.includes("workloadIdentityUser"));
  for (const name of ["signalbox-api", "signalbox-worker"]) {
    expect(readText("k8s/base/service-accounts.yaml")).toContain(`name: ${name}\n`);
    expect(readText("k8s/overlays/production/identities.yaml")).toContain(`${name}@`);
    expect(bindings.some((call) => call.includes(`${name}@signalbox-test.`) && call.includes(`svc.id.goog[signalbox/${name}]`))).toBe(true);
  }
});
