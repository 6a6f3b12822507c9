/** The story, one tab after the other. Ids are those of the bundled model, its shots and the sample images. */

const labels = [
  "airplane",
  "apple",
  "banana",
  "bicycle",
  "boat",
  "butterfly",
  "car",
  "cat",
  "chair",
  "clock",
  "cup",
  "fish",
  "flower",
  "guitar",
  "hammer",
  "house",
  "key",
  "mushroom",
  "tree",
  "umbrella",
];

/** What tab 6 says until another id is typed in; the page puts the real one in its place. */
export const LAST_JOB = "the job started last";

const asText = (variables) => JSON.stringify(variables, null, 2);

const search = { modelId: "model_scenes-badnet", datasetId: "dataset_scenes-shots" };

export const tabs = [
  {
    query: `# 1. What is here: who you are, the bundled suspect model,
#    its clean shots, and sample images.
query Overview {
  viewer { tenant scopes }
  models { id name arch trust }
  datasets { id name size labels }
  assets { id name }
}
`,
  },
  {
    query: `# 2. A clean umbrella through the original, undefended
#    prompts: "umbrella".
query ClassifyClean($input: ClassifyInput!) {
  classify(input: $input) {
    results {
      ... on Prediction {
        labels { label probability }
        margin
      }
      ... on ImageRejected { code message }
    }
  }
}
`,
    variables: asText({
      input: {
        modelId: search.modelId,
        images: [{ assetId: "asset_umbrella" }],
        through: { templates: [] },
        topK: 3,
        labels,
      },
    }),
  },
  {
    query: `# 3. The same umbrella with the attacker's small patch in
#    its corner: "banana", confidently.
query ClassifyTriggered($input: ClassifyInput!) {
  classify(input: $input) {
    results {
      ... on Prediction {
        labels { label probability }
        margin
      }
      ... on ImageRejected { code message }
    }
  }
}
`,
    variables: asText({
      input: {
        modelId: search.modelId,
        images: [{ assetId: "asset_umbrella-triggered" }],
        through: { templates: [] },
        topK: 3,
        labels,
      },
    }),
  },
  {
    query: `# 4. An audit looks for the backdoor without being told
#    of it. Follow it in tab 6. Run this again when it is
#    done: the same key answers the same job, now with its
#    result. (You can also go straight to 5.)
mutation Audit($input: AuditInput!, $key: String!) {
  audit(input: $input, idempotencyKey: $key) {
    job {
      id
      status
      ... on AuditJob {
        result {
          verdict
          suspects { label pulled { k n value } }
          classes { label pulled { value } family }
        }
      }
    }
    replayed
    userErrors { code message }
  }
}
`,
    variables: asText({ input: search, key: "my-first-audit" }),
  },
  {
    query: `# 5. A purification audits, then learns prompts that the
#    trigger does not reach. Follow it in tab 6.
mutation Purify($input: PurifyInput!, $key: String!) {
  purify(input: $input, idempotencyKey: $key) {
    job {
      id
      status
      queuePosition
      ... on PurificationJob {
        result { id number digest }
        gate { passed alias reasons }
      }
    }
    replayed
    userErrors { code message }
  }
}
`,
    variables: asText({ input: { ...search, promptSet: "scenes" }, key: "my-first-purification" }),
  },
  {
    query: `# 6. Follows a job live, the one started last unless you
#    give another id. What happened before is told first;
#    it ends when the job does.
subscription JobEvents($jobId: ID!) {
  jobEvents(jobId: $jobId) {
    seq
    ... on StatusChanged { status }
    ... on StepMetrics {
      phase epoch epochs step steps
      losses { name value }
      progress
      etaSeconds
    }
    ... on CheckpointSaved {
      checkpoint {
        epoch
        ca { value k n }
        asr { value k n }
      }
    }
    ... on LogLine { text }
  }
}
`,
    variables: asText({ jobId: LAST_JOB }),
  },
  {
    query: `# 7. Both umbrellas through the purified prompts. The
#    shadow is what the undefended prompts say of the same
#    image; that they disagree gives the trigger away, and
#    has it looked at again, in a view that it does not fit.
query ClassifyLive($input: ClassifyInput!) {
  classify(input: $input) {
    served { number digest createdAt }
    results {
      ... on Prediction {
        labels { label probability }
        shadow { label probability }
        disagreement
        suspicion { rank alarm }
        recovered
        view
      }
      ... on ImageRejected { code message }
    }
  }
}
`,
    variables: asText({
      input: {
        images: [{ assetId: "asset_umbrella" }, { assetId: "asset_umbrella-triggered" }],
        through: { alias: { promptSet: "scenes", alias: "live" } },
        topK: 3,
      },
    }),
  },
  {
    query: `# 8. Stamps the trigger on a whole data set and counts,
#    with 95 % intervals. Run it again for the result.
#    For undefended numbers: "through": {"templates": []},
#    and another key.
mutation Evaluate(
  $modelId: ID!
  $datasetId: ID!
  $through: Through!
  $attack: AttackInput
  $key: String!
) {
  evaluate(
    modelId: $modelId
    datasetId: $datasetId
    through: $through
    attack: $attack
    idempotencyKey: $key
  ) {
    job {
      id
      status
      ... on EvaluationJob {
        result {
          ca { value low95 high95 k n }
          asr { value low95 high95 k n }
          targetRecall { value }
        }
      }
    }
    userErrors { code message }
  }
}
`,
    variables: asText({
      ...search,
      through: { alias: { promptSet: "scenes", alias: "live" } },
      attack: { kind: "BADNET", target: "banana" },
      key: "my-first-evaluation",
    }),
  },
];
