import { DockerfileParser, type Copy, type From, type Instruction, type JSONInstruction } from "dockerfile-ast";
import { isIgnored } from "./ignore.ts";

export interface ImageSource {
  dockerfile: string;
  ignoreFile: string;
  /** Files of the repository. */
  files: readonly string[];
}

export interface Image {
  findings: string[];
  /** Repository files in the final stage, with their place in the image. */
  content: Map<string, string>;
  environment: Record<string, string>;
  command: string[];
}

/** What the Dockerfile would make, without a daemon, and what is wrong with it. */
export function readImage({ dockerfile, ignoreFile, files }: ImageSource): Image {
  const parsed = DockerfileParser.parse(dockerfile);
  const stages = splitStages(parsed.getInstructions());
  const last = stages.at(-1) ?? [];
  const context = files.filter((file) => !isIgnored(file, ignoreFile));
  const findings: string[] = [];
  if (stages.length < 2) findings.push("STAGES: tools of the build end up in the image");
  const names = new Set(parsed.getFROMs().map((from) => from.getBuildStage()));
  for (const from of parsed.getFROMs()) findings.push(...baseFindings(from, names, dockerfile));
  for (const instruction of parsed.getInstructions()) findings.push(...instructionFindings(instruction));
  const user = valueOf(last, "USER");
  if (!/^[1-9]\d*(:[1-9]\d*)?$/.test(user ?? ""))
    findings.push(`USER: runs as ${user ?? "root"}; Kubernetes can only see that a number is not root`);
  const content = contentOf(last, context, findings);
  const command = jsonOf(last, "CMD");
  if (command[0] !== "node") findings.push(`CMD: process 1 is ${command[0] ?? "a shell"}, which does not pass signals on`);
  if (command[1] !== undefined && ![...content.values()].includes(command[1])) findings.push(`CMD: ${command[1]} is not in the image`);
  if (!last.some((instruction) => instruction.getKeyword() === "HEALTHCHECK")) findings.push("HEALTHCHECK: there is none");
  for (const file of content.keys()) if (isForDevelopers(file)) findings.push(`CONTENT: ${file} is for developers`);
  return { findings, content, environment: environmentOf(last), command };
}

function splitStages(instructions: Instruction[]): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const instruction of instructions) {
    if (instruction.getKeyword() === "FROM") stages.push([]);
    stages.at(-1)?.push(instruction);
  }
  return stages;
}

function baseFindings(from: From, stages: ReadonlySet<string | null>, dockerfile: string): string[] {
  const written = from.getImage() ?? "";
  if (stages.has(written)) return [];
  const image = written.replace(
    /^\$\{?(\w+)\}?$/,
    (_text, name: string) => new RegExp(`^ARG ${name}=(\\S+)`, "m").exec(dockerfile)?.[1] ?? "",
  );
  const isPinned = /@sha256:[0-9a-f]{64}$/.test(image) || /:\d+\.\d+\.\d+[\w.-]*$/.test(image);
  return isPinned ? [] : [`BASE: ${image || written} may be another image tomorrow`];
}

function instructionFindings(instruction: Instruction): string[] {
  const keyword = instruction.getKeyword();
  const text = instruction.getArgumentsContent() ?? "";
  const findings: string[] = [];
  if (keyword === "ADD") findings.push("ADD: unpacks and downloads silently; COPY does not");
  if (["CMD", "ENTRYPOINT", "HEALTHCHECK"].includes(keyword) && !text.includes("["))
    findings.push(`${keyword}: the shell form has a shell between the signal and the process`);
  if (isCopy(instruction) && instruction.getFlags().some((flag) => flag.getName() === "chown"))
    findings.push("COPY: the service could change its own code");
  if (["ENV", "ARG"].includes(keyword) && /(KEY|SECRET|TOKEN|PASSWORD)\w*=/i.test(text))
    findings.push(`${keyword}: a secret in a layer stays there`);
  if (keyword === "RUN" && /\bnpm\s+(install|i|update)\b/.test(text))
    findings.push("RUN: npm install may resolve anything; npm ci takes the lock file");
  if (keyword === "RUN" && /\bnpm ci\b/.test(text)) {
    for (const flag of ["--omit=dev", "--omit=optional", "--ignore-scripts"])
      if (!text.includes(flag)) findings.push(`RUN: npm ci without ${flag}`);
  }
  return findings;
}

function contentOf(stage: Instruction[], context: readonly string[], findings: string[]): Map<string, string> {
  const content = new Map<string, string>();
  for (const instruction of stage) {
    if (!isCopy(instruction) || instruction.getFromFlag()) continue;
    const words = instruction.getArguments().map((argument) => argument.getValue());
    const target = (words.pop() ?? "").replace(/^\.\//, "").replace(/\/$/, "");
    for (const source of words) {
      const taken = context.filter((file) => source === "." || file === source || file.startsWith(`${source}/`));
      if (taken.length === 0) findings.push(`COPY: ${source} is not in the build context`);
      for (const file of taken) {
        content.set(file, placeOf(file, source, target));
      }
    }
  }
  return content;
}

function isCopy(instruction: Instruction): instruction is Copy {
  return instruction.getKeyword() === "COPY";
}

/** A folder's content goes into the target, a file becomes the target; `./` is the working folder. */
function placeOf(file: string, source: string, target: string): string {
  if (source === ".") return target === "" || target === "." ? file : `${target}/${file}`;
  if (file === source) return target === "" || target === "." ? file : target;
  return `${target}${file.slice(source.length)}`;
}

function isForDevelopers(file: string): boolean {
  return (
    /^(test|scripts|bench|deploy|k8s|\.github|\.ci)\//.test(file) ||
    /\.(test|suite)\.ts$/.test(file) ||
    /^(package-lock\.json|tsconfig\.json|\.npmrc)$/.test(file)
  );
}

function valueOf(stage: Instruction[], keyword: string): string | undefined {
  return stage.findLast((instruction) => instruction.getKeyword() === keyword)?.getArgumentsContent() ?? undefined;
}

function jsonOf(stage: Instruction[], keyword: string): string[] {
  const found = stage.findLast((instruction) => instruction.getKeyword() === keyword) as JSONInstruction | undefined; // CMD is one
  return (found?.getJSONStrings() ?? []).map((text) => text.getJSONValue());
}

function environmentOf(stage: Instruction[]): Record<string, string> {
  const pairs = stage.filter((instruction) => instruction.getKeyword() === "ENV").flatMap((instruction) => instruction.getArguments());
  return Object.fromEntries(pairs.map((pair) => pair.getValue().split(/=(.*)/s).slice(0, 2) as [string, string]));
}
