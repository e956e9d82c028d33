/** Five steps without I/O: ends at once. */
export const LINE = {
  id: "line",
  name: "Line",
  input: { type: "object", properties: { amount: { type: "number" } }, additionalProperties: true },
  variables: { total: { type: "number", default: 0 } },
  output: { total: "${ vars.total }" },
  steps: [
    { id: "begin", type: "start", nextSteps: ["one"] },
    {
      id: "one",
      type: "transform",
      config: { set: { value: "${ input.amount }" } },
      output: { total: "${ output.value }" },
      nextSteps: ["two"],
    },
    {
      id: "two",
      type: "transform",
      config: { set: { value: "${ vars.total * 2.0 }" } },
      output: { total: "${ output.value }" },
      nextSteps: ["three"],
    },
    {
      id: "three",
      type: "transform",
      config: { set: { value: "${ vars.total + 1.0 }" } },
      output: { total: "${ output.value }" },
      nextSteps: ["finish"],
    },
    { id: "finish", type: "end" },
  ],
};

/** Waits for a person. */
export const ASK = {
  id: "ask",
  name: "Ask",
  output: { answer: "${ vars.answer }" },
  variables: { answer: { type: "string", default: "none" } },
  steps: [
    {
      id: "check",
      type: "approval",
      config: {
        title: "May it go on?",
        show: { amount: "${ input.amount }" },
        form: { type: "object", properties: { limit: { type: "number" } } },
      },
      output: { answer: "${ output.decision }" },
      nextSteps: ["done", { to: "refused", on: "rejected" }],
    },
    { id: "done", type: "end" },
    { id: "refused", type: "end" },
  ],
};

/** Goes round and round with a short delay each time: a long history that grows while it is watched. */
export const ROUNDS = {
  id: "rounds",
  name: "Rounds",
  variables: { n: { type: "number", default: 0 } },
  output: { n: "${ vars.n }" },
  steps: [
    { id: "count", type: "transform", config: { set: { n: "${ vars.n + 1.0 }" } }, output: { n: "${ output.n }" }, nextSteps: ["rest"] },
    { id: "rest", type: "delay", config: { for: "20ms" }, nextSteps: [{ to: "count", when: "vars.n < input.rounds" }, "done"] },
    { id: "done", type: "end" },
  ],
};

/** Asks the keyless model which way to go. */
export const ROUTE = {
  id: "route",
  name: "Route",
  steps: [
    {
      id: "decide",
      type: "decision",
      config: { instruction: "Where does this message belong?", fallback: "support" },
      nextSteps: [
        { to: "refund", description: "The customer wants money back, a refund" },
        { to: "support", description: "A technical problem, an error, a crash" },
      ],
    },
    { id: "refund", type: "end" },
    { id: "support", type: "end" },
  ],
};

/** Remembers what it is asked for each customer. */
export const TALK = {
  id: "talk",
  name: "Talk",
  steps: [
    {
      id: "say",
      type: "prompt",
      config: { prompt: "Hello, I am ${ input.customer }.", memory: { scope: "thread", key: "support/${ input.customer }" } },
    },
  ],
};
