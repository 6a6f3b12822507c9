/** The GraphQL documents of the demo: all that it knows about the server. */

export const WORLD = /* GraphQL */ `
  query World {
    models { id name arch }
    datasets { id name labels size }
  }
`;

export const REGISTER = /* GraphQL */ `
  mutation Register($folder: String!) {
    registerModel(input: { folder: $folder }) { model { id name arch } userErrors { code message } }
  }
`;

export const CLASSIFY = /* GraphQL */ `
  query Classify($input: ClassifyInput!) {
    classify(input: $input) {
      results { __typename ... on Prediction { labels { label } } ... on ImageRejected { code message } }
    }
  }
`;

export const PURIFY = /* GraphQL */ `
  mutation Purify($input: PurifyInput!, $key: String!) {
    purify(input: $input, idempotencyKey: $key) { job { id } userErrors { code message } }
  }
`;

export const EVENTS = /* GraphQL */ `
  subscription Events($job: ID!) {
    jobEvents(jobId: $job) {
      __typename
      seq
      ... on StatusChanged { status }
      ... on StepMetrics { phase epoch epochs progress etaSeconds losses { name value } }
      ... on LogLine { level text }
    }
  }
`;

export const OUTCOME = /* GraphQL */ `
  query Outcome($job: ID!) {
    job(id: $job) {
      status
      failure { code message }
      ... on PurificationJob {
        result { id number digest }
        audit { verdict suspects { label pulled { value } } classes { label pulled { value } } }
      }
    }
  }
`;

export const CREATE_DATASET = /* GraphQL */ `
  mutation CreateDataset($input: CreateDatasetInput!) {
    createDataset(input: $input) { dataset { id name labels size } userErrors { code message } }
  }
`;
