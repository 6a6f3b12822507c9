import { createClient } from "/playground/graphql-ws/client.js";
import { LAST_JOB, tabs } from "./tabs.js";

const { React, ReactDOM, GraphiQL } = window;

/** The key comes in the link's fragment, which stays in the browser, and is kept for this tab's reloads only. */
function takeKey() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    sessionStorage.setItem("antidote:key", given);
    history.replaceState(null, "", location.pathname);
  }
  return given ?? sessionStorage.getItem("antidote:key") ?? "";
}

const key = takeKey();
const headers = JSON.stringify({ authorization: `Bearer ${key || "<your key>"}` }, null, 2);

/** What GraphiQL's headers editor says now, so that another key can be typed in there. */
const headersOf = (options) => ({ ...options?.headers });

async function request(parameters, options) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: { "content-type": "application/json", "apollo-require-preflight": "1", ...headersOf(options) },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

function subscribe(parameters, options) {
  const url = new URL("/graphql", location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const { authorization, Authorization } = headersOf(options);
  const client = createClient({
    url: url.href,
    connectionParams: { authorization: authorization ?? Authorization },
    retryAttempts: 3,
  });
  return client.iterate(parameters);
}

/** The type of the operation that is to run; GraphiQL gives the parsed document along. */
function isSubscription({ operationName }, options) {
  const operations =
    options?.documentAST?.definitions.filter(({ kind }) => kind === "OperationDefinition") ?? [];
  const chosen = operations.find(({ name }) => name?.value === operationName) ?? operations[0];
  return chosen?.operation === "subscription";
}

/** Saves copying an id from one tab to another. */
async function withLastJob(parameters, options) {
  if (parameters.variables?.jobId !== LAST_JOB) return parameters;
  const { data } = await request({ query: "{ jobs(first: 1) { id } }" }, options);
  const jobId = data?.jobs[0]?.id ?? LAST_JOB;
  return { ...parameters, variables: { ...parameters.variables, jobId } };
}

async function fetcher(parameters, options) {
  const complete = await withLastJob(parameters, options);
  return isSubscription(complete, options) ? subscribe(complete, options) : request(complete, options);
}

// Tabs of an earlier visit would hide the story, and could hold a key that is not valid any more.
const storage = {
  values: new Map(),
  getItem: (name) => storage.values.get(name) ?? null,
  setItem: (name, value) => storage.values.set(name, value),
  removeItem: (name) => storage.values.delete(name),
  clear: () => storage.values.clear(),
  get length() {
    return storage.values.size;
  },
};

ReactDOM.createRoot(document.getElementById("playground")).render(
  React.createElement(GraphiQL, {
    fetcher,
    storage,
    defaultTabs: tabs.map((tab) => ({ ...tab, headers })),
    defaultHeaders: headers,
    defaultEditorToolsVisibility: "variables",
    shouldPersistHeaders: false,
    isHeadersEditorEnabled: true,
  }),
);
