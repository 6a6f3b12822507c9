/** The GraphQL documents of the client. What each asks for has its type in answers.ts. */

const RATE = "{ value k n low95 high95 }";
const USER_ERRORS = "userErrors { code message path }";
const VERSION = "{ id number digest labels createdAt }";
const CLASS = `{ label pulled ${RATE} family word }`;
const AUDIT = `{ verdict seconds suspects ${CLASS} classes ${CLASS} }`;
const DATASET = "{ id name labels size digest createdAt }";
const MODEL = "{ id name arch format trust warnings }";
const SCORED = "{ label probability logit }";
const EVALUATION = `{
  id attack target ca ${RATE} asr ${RATE} asrIncludingTarget ${RATE} robustAccuracy ${RATE}
  targetRecall ${RATE} cleanFloor ${RATE} seenByDefence ${RATE} perClass { label ca ${RATE} pulledTo ${RATE} } protocol
}`;

export const CLASSIFY = /* GraphQL */ `
  query Classify($input: ClassifyInput!) {
    classify(input: $input) {
      results {
        __typename
        ... on Prediction { index labels ${SCORED} margin shadow ${SCORED} disagreement suspicion { score rank alarm } recovered view cached }
        ... on ImageRejected { index code message }
      }
      served ${VERSION}
      model { id name }
      timing { queueMs preprocessMs inferMs batchSize }
    }
  }
`;

const STARTED = `{ job { id } replayed ${USER_ERRORS} }`;

export const PURIFY = /* GraphQL */ `
  mutation Purify($input: PurifyInput!, $idempotencyKey: String!) {
    started: purify(input: $input, idempotencyKey: $idempotencyKey) ${STARTED}
  }
`;

export const AUDIT_MODEL = /* GraphQL */ `
  mutation Audit($input: AuditInput!, $idempotencyKey: String!) {
    started: audit(input: $input, idempotencyKey: $idempotencyKey) ${STARTED}
  }
`;

export const EVALUATE = /* GraphQL */ `
  mutation Evaluate(
    $modelId: ID!, $datasetId: ID!, $through: Through!, $attack: AttackInput, $labels: [String!], $device: Device,
    $idempotencyKey: String!
  ) {
    started: evaluate(
      modelId: $modelId, datasetId: $datasetId, through: $through, attack: $attack, labels: $labels, device: $device,
      idempotencyKey: $idempotencyKey
    ) ${STARTED}
  }
`;

export const CANCEL_JOB = /* GraphQL */ `
  mutation CancelJob($id: ID!) { changed: cancelJob(id: $id) { ${USER_ERRORS} } }
`;

export const RESUME_JOB = /* GraphQL */ `
  mutation ResumeJob($id: ID!) { changed: resumeJob(id: $id) { ${USER_ERRORS} } }
`;

export const JOB = /* GraphQL */ `
  query Job($id: ID!) {
    job(id: $id) {
      __typename id status progress etaSeconds queuePosition createdAt finishedAt
      failure { code message retryable }
      ... on PurificationJob { version: result ${VERSION} audit ${AUDIT} gate { alias passed reasons } }
      ... on AuditJob { audit: result ${AUDIT} }
      ... on EvaluationJob { evaluation: result ${EVALUATION} }
      ... on DefenceJob { defended: result { __typename ... on PromptVersion ${VERSION} ... on Model ${MODEL} } }
      ... on ImplantJob { implanted: result ${MODEL} }
    }
  }
`;

export const EVENTS = /* GraphQL */ `
  subscription Events($jobId: ID!, $afterSeq: Int!) {
    jobEvents(jobId: $jobId, afterSeq: $afterSeq) {
      __typename seq at
      ... on StatusChanged { status }
      ... on StepMetrics {
        phase epoch epochs step steps progress etaSeconds imagesPerSecond losses { name value }
      }
      ... on CheckpointSaved { checkpoint { id epoch ca ${RATE} asr ${RATE} } }
      ... on LogLine { level text }
    }
  }
`;

export const MODELS = /* GraphQL */ `query Models($first: Int!) { models(first: $first) ${MODEL} }`;

export const REGISTER_MODEL = /* GraphQL */ `
  mutation RegisterModel($input: RegisterModelInput!) {
    changed: registerModel(input: $input) { model ${MODEL} ${USER_ERRORS} }
  }
`;

export const DATASETS = /* GraphQL */ `query Datasets($first: Int!) { datasets(first: $first) ${DATASET} }`;

export const CREATE_DATASET = /* GraphQL */ `
  mutation CreateDataset($name: String!, $examples: ExamplesInput!) {
    changed: createDataset(input: { name: $name, examples: $examples }) {
      dataset ${DATASET} rejected { source message } ${USER_ERRORS}
    }
  }
`;

export const ADD_EXAMPLES = /* GraphQL */ `
  mutation AddExamples($datasetId: ID!, $examples: ExamplesInput!) {
    changed: addExamples(datasetId: $datasetId, examples: $examples) {
      dataset ${DATASET} rejected { source message } ${USER_ERRORS}
    }
  }
`;

export const MOVE_ALIAS = /* GraphQL */ `
  mutation MoveAlias($ref: AliasRef!, $to: ID!, $expected: ID, $evidenceId: ID, $reason: String) {
    changed: moveAlias(ref: $ref, to: $to, expected: $expected, evidenceId: $evidenceId, reason: $reason) {
      alias { name version ${VERSION} } ${USER_ERRORS}
    }
  }
`;
