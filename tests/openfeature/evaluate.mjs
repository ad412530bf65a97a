// Asks a server's flags as applications do: with OpenFeature's SDKs and their OFREP providers, and beside
// them flagd's own evaluator on the same document. Reads {url, document, cases: [{flag, type, context}]} from
// the standard input and writes what each said.
import { readFileSync } from "node:fs";
import { FlagdCore } from "@openfeature/flagd-core";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { OpenFeature as WebFeature } from "@openfeature/web-sdk";

const FALLBACKS = { boolean: false, string: "fallback", number: -1, object: {} };
const quiet = { error() {}, warn() {}, info() {}, debug() {} };
const { url, document, cases, webContexts } = JSON.parse(readFileSync(0, "utf8"));

const shorten = ({ value, variant, reason, errorCode }) => ({ value, variant, reason, errorCode });

async function askServer() {
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: url }));
  const client = OpenFeature.getClient();
  client.setLogger(quiet);
  const ask = {
    boolean: client.getBooleanDetails,
    string: client.getStringDetails,
    number: client.getNumberDetails,
    object: client.getObjectDetails,
  };
  const answers = [];
  for (const { flag, type, context } of cases) {
    answers.push(shorten(await ask[type].call(client, flag, FALLBACKS[type], context)));
  }
  return answers;
}

function askFlagd() {
  if (!document) return null;
  const core = new FlagdCore(undefined, quiet);
  core.setConfigurations(JSON.stringify(document));
  const resolve = {
    boolean: core.resolveBooleanEvaluation,
    string: core.resolveStringEvaluation,
    number: core.resolveNumberEvaluation,
    object: core.resolveObjectEvaluation,
  };
  return cases.map(({ flag, type, context }) =>
    shorten(resolve[type].call(core, flag, FALLBACKS[type], context ?? {}, quiet)),
  );
}

// The bulk request, as a browser makes it: once for each context, and again to see whether anything is new.
async function askWeb() {
  if (!webContexts) return null;
  const statuses = [];
  const provider = new OFREPWebProvider(
    {
      baseUrl: url,
      pollInterval: 50,
      cacheMode: "disabled",
      fetchImplementation: async (request) => {
        const response = await fetch(request);
        statuses.push(response.status);
        return response;
      },
    },
    quiet,
  );
  const answers = [];
  await WebFeature.setContext(webContexts[0]);
  await WebFeature.setProviderAndWait(provider);
  const client = WebFeature.getClient();
  client.setLogger(quiet);
  for (const context of webContexts) {
    await WebFeature.setContext(context);
    answers.push(shorten(client.getBooleanDetails("USE_UNIFIED_DB_SERVICE", false)));
  }
  while (!statuses.includes(304)) await new Promise((resolve) => setTimeout(resolve, 10));
  await WebFeature.close();
  return { answers, statuses };
}

const answers = { server: await askServer(), flagd: askFlagd(), web: await askWeb() };
await OpenFeature.close();
process.stdout.write(JSON.stringify(answers));
