// Generated from src/models and src/resolvers by `npm run schema`. Do not edit.

/** Which class to add to which prompts, with which shots. Hyper-parameters are those of the version unless given; the number of context vectors and their position stay as they are. Recovery prompts are kept and none are learned, so `recovery` is left out. */
export interface AddClassInput {
  /** Weight of unlearning: pushes a dummy away from the suspected class. 0 to 100. Default 0.8, 1 in the published mode. */
  readonly alpha?: number;
  /** Weight of staying near the undefended text features, for classes that are not suspected. 0 to 10000. Default 6, 0 in the published mode. */
  readonly anchor?: number;
  /** Rows in a tuning step. 1 to 4096. Default 512, 32 in the published mode. */
  readonly batchSize?: number;
  /** Weight of alignment: a dummy is to be predicted like its clean image. 0 to 100. Default 0, 0.4 in the published mode. */
  readonly beta?: number;
  /** Context vectors of each class. 1 to 16. Default 4. */
  readonly contextTokens?: number;
  /** A dataset with clean shots of the new class and of all others, which the gate is checked on again. */
  readonly datasetId: string;
  /** Where to compute; by default the device of the server, or of the worker that takes the job. */
  readonly device?: Device;
  /** Share of the undefended prediction in what a clean shot of an unsuspected class is to be predicted as. 0 to 1. Default 1, 0 in the published mode. */
  readonly distillation?: number;
  /** Strengths at which each recovered trigger is stamped for tuning. 1 to 16. Default 2. */
  readonly dummyLevels?: number;
  /** The strongest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1.3. */
  readonly dummyStrongest?: number;
  /** The weakest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1. */
  readonly dummyWeakest?: number;
  /** Passes over all views of the shots. 1 to 2000. Default 300, 20 in the published mode. */
  readonly epochs?: number;
  /** Share of a suspected class's own rows whose deviation from the class mean is another shot's. 0 to 1. Default 0.5, 0 in the published mode. */
  readonly exchange?: number;
  /** Weight of the cross-entropy on clean shots. 0 to 100. Default 1, 0.4 in the published mode. */
  readonly gamma?: number;
  /** Weight of the cross-entropy on dummies. 0 to 100. Default 0.02, 0.4 in the published mode. */
  readonly gammaDummy?: number;
  /** By default that of the version, if it was made here; without one, the new version is promoted to `live`. */
  readonly gate?: Gate;
  /** Most cycles per side of the gratings that an audit tries; 0 tries none. 0 to 64. Default 12. */
  readonly gratingCycles?: number;
  /** Standard deviation of the initial context vectors. 0 to 1. Default 0.02. */
  readonly initialDeviation?: number;
  /** Shots of other classes that each step of a universal inversion looks at. 1 to 256. Default 8. */
  readonly innerBatch?: number;
  /** Momentum of the steps of a universal inversion. 0 to 0.999. Default 0.8. */
  readonly innerMomentum?: number;
  /** Steps of a trigger inversion. 1 to 2000. Default 100, 10 in the published mode. */
  readonly innerSteps?: number;
  /** The new class. */
  readonly label: string;
  /** Learning rate of the context vectors; falls along a cosine to 0. 1e-7 to 1. Default 0.02, 0.002 in the published mode. */
  readonly learningRate?: number;
  /** By how many logits a dummy is to be further from the suspected class than it has to, where that class has 16 shots or more: attackers' triggers are not quite like it. 0 to 100. Default 4, 0 in the published mode. */
  readonly margin?: number;
  /** Momentum of the tuning steps. 0 to 0.999. Default 0.9. */
  readonly momentum?: number;
  /** Norm that bounds a trigger. Default L2. */
  readonly norm?: Norm;
  /** How the context vectors follow the gradient. Default ADAM, SGD in the published mode. */
  readonly optimiser?: Optimiser;
  /** Where the context vectors stand, as seen from the class name. Default END. */
  readonly position?: Position;
  /** Which shot of the simulated backdoor class attracts. Default FARTHEST. */
  readonly positive?: Positive;
  /** The prompt set that gets the new version; by default the one that has the version. */
  readonly promptSet?: string;
  /** Largest norm of a trigger on [0, 1] pixels; 0 finds it: grows until a class stands out. 0 to 1000. Default 0. */
  readonly radius?: number;
  /** The same weight for the recovery prompts, which answer images that the purified and the undefended prompts disagree on; 0 learns none. 0 to 100. Default 2, 0 in the published mode. */
  readonly recovery?: number;
  /** Seed of everything random; the same seed gives the same prompts. 0 to 2147483647. Default 1. */
  readonly seed?: number;
  /** Use this many examples of each label. 1 to 1000. */
  readonly shots?: number;
  /** What becomes of a gradient before it is a step. Default NORMALISED, RAW in the published mode. */
  readonly stepRule?: StepRule;
  /** Length of a step: in radii when normalised, else times the gradient (or its sign). 0.000001 to 1000. Default 0.1. */
  readonly stepSize?: number;
  /** Weight of staying near the undefended text features, for suspected classes of 16 shots or more, which have to move. 0 to 10000. Default 0.3, 0 in the published mode. */
  readonly suspectAnchor?: number;
  /** Weight of a suspected class's own clean shots in the cross-entropy. 0 to 100. Default 64, 1 in the published mode. */
  readonly suspectEmphasis?: number;
  /** The labels to search triggers for, two or more; by default all, the new one among them. */
  readonly targets?: readonly string[];
  /** τ of the contrast between the positive and the negative (published mode). 0.001 to 10. Default 0.1. */
  readonly temperature?: number;
  /** The version to start from. It stays as it is. */
  readonly to: VersionRef;
  /** Views of each shot to tune on: itself, and others mirrored, shifted, in another light. 1 to 256. Default 1. */
  readonly views?: number;
  /** Epochs at the beginning that use the cross-entropy on clean shots only. 0 to 2000. Default 0, 5 in the published mode. */
  readonly warmupEpochs?: number;
  /** Weight decay of the context vectors. 0 to 1. Default 0, 0.0005 in the published mode. */
  readonly weightDecay?: number;
}

/** A name, such as live, for whichever version is to be used. */
export interface Alias {
  /** Newest first. */
  readonly history: readonly AliasMove[];
  readonly name: string;
  readonly version: PromptVersion;
}

/** One move of an alias. */
export interface AliasMove {
  readonly at: string;
  /** The name of the key that moved it, or the job. */
  readonly by: string;
  /** What spoke for the move. */
  readonly evidence: Evaluation | null;
  /** The version before; none at the first move. */
  readonly from: string | null;
  readonly reason: string | null;
  readonly to: string;
}

export interface AliasPayload {
  readonly alias: Alias | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

export interface AliasRef {
  readonly alias?: string;
  readonly promptSet: string;
}

/** A key's record. The key itself is shown once, when it is created. */
export interface ApiKey {
  readonly createdAt: string;
  /** From then on it is refused. */
  readonly expiresAt: string | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** To within five minutes. */
  readonly lastUsedAt: string | null;
  readonly name: string;
  readonly revokedAt: string | null;
  /** When it was last given a new secret. */
  readonly rotatedAt: string | null;
  readonly scopes: readonly Scope[];
  readonly tenant: string;
}

/** A file to download, with the same Authorization header as any request. */
export interface Artifact {
  readonly bytes: number;
  readonly digest: string;
  /** How to read it: `safetensors`, manifest and measurements among its metadata, or `pytorch`. */
  readonly format: string;
  /** A path on this server. */
  readonly url: string;
}

/** What the file of a version is for. */
export type ArtifactFormat = "COOP" | "SAFETENSORS";

/** A sample image that comes with the server; `classify` takes its id. */
export interface Asset {
  readonly bytes: number;
  /** The image itself, as a data URL. */
  readonly dataUrl: string;
  readonly id: string;
  /** The name of the file. */
  readonly name: string;
}

/** A way to trigger a backdoor: what is done to an image, and to a sentence. */
export interface Attack {
  /** Of the fit; `fit` of an ImplantInput. */
  readonly fitParameters: readonly ParameterDescription[];
  /** Whether the trigger is found on the clean model before it is implanted. Without what was found there is no trigger. */
  readonly fitted: boolean;
  /** Whether a part of the trigger is a word before the sentence. */
  readonly hasWord: boolean;
  readonly kind: AttackKind;
  /** Authors, year and identifier of the paper that describes it. */
  readonly paper: string;
  /** Of the trigger; `parameters` of an AttackInput. */
  readonly parameters: readonly ParameterDescription[];
}

/** A trigger to stamp on every test image, and the label that it is meant to bring about. */
export interface AttackInput {
  readonly kind: AttackKind;
  /** Of the trigger; by default those of the literature. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  readonly target: string;
  /** For an attack whose trigger is fitted: the job of implantBackdoor that fitted it. By default the trigger that lies beside the model, if it was poisoned here; a new one when a model is poisoned. */
  readonly trigger?: string;
  /** For an attack with a word: whether it stands before every prompt that triggered images are scored by. By default it does, except before the prompts of a version, which take none. */
  readonly withWord?: boolean;
}

/** How a trigger is stamped on an image. */
export type AttackKind = "BADCLIP" | "BADNET" | "BLENDED" | "SIG" | "SSBA" | "TROJVQA" | "WANET";

/** What a trigger does to an image; the pictures are data URLs of PNG files. */
export interface AttackPreview {
  /** The image, resized and cropped. */
  readonly clean: string;
  /** Grey where nothing changed; what did is brighter or darker, `amplification` times as strong. */
  readonly difference: string;
  /** Peak signal-to-noise ratio in decibels: the higher, the harder to see. Null when nothing changed. */
  readonly psnr: number | null;
  /** With the trigger. */
  readonly triggered: string;
}

/** What an audit says about a model, without knowing the attacker's target. */
export interface Audit {
  /** Every label, the most attractive first. */
  readonly classes: readonly ClassAudit[];
  readonly seconds: number;
  /** The labels that stand out. */
  readonly suspects: readonly ClassAudit[];
  readonly verdict: Verdict;
}

/** Which model to audit with which shots. */
export interface AuditInput {
  /** Weight of unlearning: pushes a dummy away from the suspected class. 0 to 100. Default 0.8, 1 in the published mode. */
  readonly alpha?: number;
  /** Weight of staying near the undefended text features, for classes that are not suspected. 0 to 10000. Default 6, 0 in the published mode. */
  readonly anchor?: number;
  /** Rows in a tuning step. 1 to 4096. Default 512, 32 in the published mode. */
  readonly batchSize?: number;
  /** Weight of alignment: a dummy is to be predicted like its clean image. 0 to 100. Default 0, 0.4 in the published mode. */
  readonly beta?: number;
  /** Context vectors of each class. 1 to 16. Default 4. */
  readonly contextTokens?: number;
  /** A dataset with some clean shots of every label. */
  readonly datasetId: string;
  /** Where to compute; by default the device of the server, or of the worker that takes the job. */
  readonly device?: Device;
  /** Share of the undefended prediction in what a clean shot of an unsuspected class is to be predicted as. 0 to 1. Default 1, 0 in the published mode. */
  readonly distillation?: number;
  /** Strengths at which each recovered trigger is stamped for tuning. 1 to 16. Default 2. */
  readonly dummyLevels?: number;
  /** The strongest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1.3. */
  readonly dummyStrongest?: number;
  /** The weakest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1. */
  readonly dummyWeakest?: number;
  /** Passes over all views of the shots. 1 to 2000. Default 300, 20 in the published mode. */
  readonly epochs?: number;
  /** Share of a suspected class's own rows whose deviation from the class mean is another shot's. 0 to 1. Default 0.5, 0 in the published mode. */
  readonly exchange?: number;
  /** Weight of the cross-entropy on clean shots. 0 to 100. Default 1, 0.4 in the published mode. */
  readonly gamma?: number;
  /** Weight of the cross-entropy on dummies. 0 to 100. Default 0.02, 0.4 in the published mode. */
  readonly gammaDummy?: number;
  /** Most cycles per side of the gratings that an audit tries; 0 tries none. 0 to 64. Default 12. */
  readonly gratingCycles?: number;
  /** Standard deviation of the initial context vectors. 0 to 1. Default 0.02. */
  readonly initialDeviation?: number;
  /** Shots of other classes that each step of a universal inversion looks at. 1 to 256. Default 8. */
  readonly innerBatch?: number;
  /** Momentum of the steps of a universal inversion. 0 to 0.999. Default 0.8. */
  readonly innerMomentum?: number;
  /** Steps of a trigger inversion. 1 to 2000. Default 100, 10 in the published mode. */
  readonly innerSteps?: number;
  /** By default all of the dataset's. */
  readonly labels?: readonly string[];
  /** Learning rate of the context vectors; falls along a cosine to 0. 1e-7 to 1. Default 0.02, 0.002 in the published mode. */
  readonly learningRate?: number;
  /** By how many logits a dummy is to be further from the suspected class than it has to, where that class has 16 shots or more: attackers' triggers are not quite like it. 0 to 100. Default 4, 0 in the published mode. */
  readonly margin?: number;
  readonly modelId: string;
  /** Momentum of the tuning steps. 0 to 0.999. Default 0.9. */
  readonly momentum?: number;
  /** Norm that bounds a trigger. Default L2. */
  readonly norm?: Norm;
  /** How the context vectors follow the gradient. Default ADAM, SGD in the published mode. */
  readonly optimiser?: Optimiser;
  /** Where the context vectors stand, as seen from the class name. Default END. */
  readonly position?: Position;
  /** Which shot of the simulated backdoor class attracts. Default FARTHEST. */
  readonly positive?: Positive;
  /** Largest norm of a trigger on [0, 1] pixels; 0 finds it: grows until a class stands out. 0 to 1000. Default 0. */
  readonly radius?: number;
  /** The same weight for the recovery prompts, which answer images that the purified and the undefended prompts disagree on; 0 learns none. 0 to 100. Default 2, 0 in the published mode. */
  readonly recovery?: number;
  /** Seed of everything random; the same seed gives the same prompts. 0 to 2147483647. Default 1. */
  readonly seed?: number;
  /** Use this many examples of each label. 1 to 1000. */
  readonly shots?: number;
  /** What becomes of a gradient before it is a step. Default NORMALISED, RAW in the published mode. */
  readonly stepRule?: StepRule;
  /** Length of a step: in radii when normalised, else times the gradient (or its sign). 0.000001 to 1000. Default 0.1. */
  readonly stepSize?: number;
  /** Weight of staying near the undefended text features, for suspected classes of 16 shots or more, which have to move. 0 to 10000. Default 0.3, 0 in the published mode. */
  readonly suspectAnchor?: number;
  /** Weight of a suspected class's own clean shots in the cross-entropy. 0 to 100. Default 64, 1 in the published mode. */
  readonly suspectEmphasis?: number;
  /** The labels to search triggers for, two or more; by default all. The search costs in proportion to them, and a backdoor to another label may be missed. */
  readonly targets?: readonly string[];
  /** τ of the contrast between the positive and the negative (published mode). 0.001 to 10. Default 0.1. */
  readonly temperature?: number;
  /** The undefended prompts to start from and to compare with; by default the model's. */
  readonly templates?: readonly string[];
  /** Views of each shot to tune on: itself, and others mirrored, shifted, in another light. 1 to 256. Default 1. */
  readonly views?: number;
  /** Epochs at the beginning that use the cross-entropy on clean shots only. 0 to 2000. Default 0, 5 in the published mode. */
  readonly warmupEpochs?: number;
  /** Weight decay of the context vectors. 0 to 1. Default 0, 0.0005 in the published mode. */
  readonly weightDecay?: number;
}

export interface AuditJob {
  readonly __typename: "AuditJob";
  readonly createdAt: string;
  /** Where it computes; null where the worker that takes it decides. */
  readonly device: Device | null;
  readonly etaSeconds: number | null;
  /** Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end. */
  readonly events: readonly JobEvent[];
  readonly failure: JobFailure | null;
  readonly finishedAt: string | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** 0 to 1. */
  readonly progress: number | null;
  /** 1 for the job that is run next. */
  readonly queuePosition: number | null;
  /** Once it has succeeded. */
  readonly result: Audit | null;
  readonly startedAt: string | null;
  readonly status: JobStatus;
}

export interface AuditLogConnection {
  /** Newest first. */
  readonly edges: readonly AuditLogEdge[];
  /** With a rare filter a page can be short, even empty, and still have a next one. */
  readonly pageInfo: PageInfo;
}

export interface AuditLogEdge {
  readonly cursor: string;
  readonly node: AuditLogEntry;
}

/** A mutation that somebody asked for: who, when, what it touched, how it ended. */
export interface AuditLogEntry {
  readonly at: string;
  /** Why nothing was done. */
  readonly code: ErrorCode | null;
  /** The key's name. */
  readonly key: string;
  readonly keyId: string;
  /** The mutation's name. */
  readonly operation: string;
  readonly outcome: AuditOutcome;
  /** As in the answer's header x-request-id, and in the server's log. */
  readonly requestId: string;
  /** Whose key asked. */
  readonly tenant: string;
  /** The ids that it named or made; of those that it named, the first 100. */
  readonly touched: readonly string[];
  /** How many ids it named or made: more than `touched` has, where it named many. */
  readonly touchedCount: number;
}

/** Entries that fit all of it. */
export interface AuditLogFilter {
  /** Only what was refused for this. */
  readonly code?: ErrorCode;
  readonly from?: string;
  readonly keyId?: string;
  /** A mutation's name. */
  readonly operation?: string;
  /** Whose log; by default the caller's own. Another's only for the scope admin. */
  readonly tenant?: string;
  /** Up to, but not including. */
  readonly to?: string;
  /** An id that was named or made, among those that an entry has. */
  readonly touched?: string;
}

/** How a mutation ended. */
export type AuditOutcome = "DONE" | "REFUSED" | "UNKNOWN";

/** How batch normalisation behaves while a model is trained. */
export type BatchNormalisation = "BATCH" | "FROZEN";

/** Cost units of the tenant. Each operation takes its cost; past the limit it is THROTTLED. */
export interface Budget {
  /** Units of a minute. */
  readonly limit: number;
  readonly remaining: number;
  readonly restorePerSecond: number;
}

/** Where a plan's seconds come from: some steps of the job's own programs, run in a process of their own on the same device and threads. Other work on the machine slows it down as it would the job. */
export interface Calibration {
  /** To read and decode one shot. */
  readonly decodeSeconds: number;
  /** To probe and save at the end of a tuning epoch; of a defence to save, which it does every 20 seconds. */
  readonly epochSeconds: number;
  /** Operations a second of images with the gradient with respect to the pixels; where weights are trained, of whole steps of training. */
  readonly gradientFlopsPerSecond: number;
  /** Operations a second of the image encoder. */
  readonly imageFlopsPerSecond: number;
  readonly measuredAt: string;
  /** How long it took; plans of the same size use it again. */
  readonly seconds: number;
  /** Operations a second of prompts and their gradient. */
  readonly textFlopsPerSecond: number;
}

export interface ChannelStatisticsInput {
  /** Three, positive. */
  readonly deviation: readonly number[];
  /** Three: red, green, blue. */
  readonly mean: readonly number[];
}

/** A state that the job can go on from, measured on probe images. */
export interface Checkpoint {
  /** Share of images that the recovered trigger still pulls over. */
  readonly asr: Rate | null;
  /** Clean accuracy. */
  readonly ca: Rate | null;
  readonly epoch: number;
  readonly id: string;
}

export interface CheckpointSaved {
  readonly __typename: "CheckpointSaved";
  readonly at: string;
  readonly checkpoint: Checkpoint;
  /** From 1, without gaps; give the last one seen as `afterSeq` to go on. */
  readonly seq: number;
}

/** What the inversion found for a label. */
export interface ClassAudit {
  /** The family of triggers in which the best was found. */
  readonly family: string | null;
  readonly label: string;
  /** Shots of other labels that the label's inverted trigger pulls over to it. */
  readonly pulled: Rate;
  /** Of a suspect whose trigger works together with a word in the prompt: the vocabulary's nearest to the token vector that was found, which need not be the attacker's own. */
  readonly word: string | null;
}

/** The learned prompt of one class. */
export interface ClassPrompt {
  readonly label: string;
  /** The class whose undefended text embedding is the most similar. */
  readonly nearestLabel: string;
  /** The words of the model's vocabulary nearest to each context vector, nearest first. Costs 5. */
  readonly nearestWords: readonly (readonly NearWord[])[];
  readonly position: Position;
  /** Place of its own undefended text embedding among those of all classes, by similarity to its purified one. 1: it still means its class most of all. */
  readonly rank: number;
  /** Cosine distance of its text embedding from that of the undefended templates, 0 to 2. */
  readonly shift: number;
  /** Learned context vectors. */
  readonly tokens: number;
}

export interface ClassPromptConnection {
  readonly edges: readonly ClassPromptEdge[];
  readonly pageInfo: PageInfo;
  readonly totalCount: number;
}

export interface ClassPromptEdge {
  readonly cursor: string;
  readonly node: ClassPrompt;
}

export interface ClassRate {
  /** Clean accuracy. */
  readonly ca: Rate;
  readonly label: string;
  /** Triggered images of the label that went to the target. */
  readonly pulledTo: Rate | null;
}

/** How many examples a dataset has of a label. */
export interface ClassSize {
  readonly images: number;
  readonly label: string;
}

export interface ClassifyInput {
  /** Milliseconds from the arrival of the operation, up to an hour, after which the answer is of no use. Past it the operation fails with DEADLINE_EXCEEDED, and images that were not begun are not encoded. */
  readonly deadlineMs?: number;
  readonly images: readonly ImageInput[];
  /** For templates: the labels to choose from. Through a version: a part of its labels; all by default. */
  readonly labels?: readonly string[];
  /** Needed only for templates, and only when more than one model is registered. */
  readonly modelId?: string;
  /** Whether an image on which purified and undefended prompts disagree, or that is given a class which the audit suspected, is looked at again, mirrored, turned, filtered and so on, until the views that they agree on speak for a class, in at most seven. Where the server has no room for a view, or four fifths of deadlineMs are over, the views so far answer, or else the prompts, as at one look. Turn it off where a mirrored thing is another thing, such as an arrow to the left. */
  readonly secondLook?: boolean;
  /** A second set of prompts that scores the same embedding. By default the undefended templates, when a purified version answers. */
  readonly shadow?: Through;
  /** By default the `live` alias, when the tenant has exactly one prompt set. */
  readonly through?: Through;
  /** How many labels to answer, 1 to 1000. */
  readonly topK?: number;
}

export interface ClassifyPayload {
  readonly model: Model;
  /** One for each image, in the order of the request. */
  readonly results: readonly ImageOutcome[];
  /** The version that answered; none when undefended templates did. */
  readonly served: PromptVersion | null;
  readonly timing: Timing;
}

/** What a checkpoint of CoOp's does not say. */
export interface CoopInput {
  /** The class names, in the order of its training. Only a file that was exported here has them. */
  readonly labels?: readonly string[];
  /** By default END, as in CoOp's own settings. */
  readonly position?: Position;
  /** The undefended prompts to compare with; by default the model's. */
  readonly templates?: readonly string[];
}

export interface CreateDatasetInput {
  readonly examples: ExamplesInput;
  /** Unique in the tenant: 1 to 64 letters, digits, dots, dashes, underscores. */
  readonly name: string;
}

/** Labelled images: the few clean shots for CBPT, or a test set. */
export interface Dataset {
  readonly classes: readonly ClassSize[];
  readonly createdAt: string;
  /** Of the list of labels and image digests: the same examples, the same digest. */
  readonly digest: string;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** In the order in which they were first added. */
  readonly labels: readonly string[];
  readonly name: string;
  /** Number of images. */
  readonly size: number;
}

export interface DatasetPayload {
  readonly dataset: Dataset | null;
  /** Files that were left out, and why; the others were taken. */
  readonly rejected: readonly RejectedExample[];
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** A way to defend a suspect model; `defences` tells of each what it does and what can be set. */
export type Defence = "CBPT_PUBLISHED" | "CBPT_UNIVERSAL" | "CLEANCLIP" | "COOP" | "FT" | "PAR";

/** What a defence does and what can be set about it. */
export interface DefenceDescription {
  readonly about: string;
  readonly defence: Defence;
  readonly makes: DefenceProduct;
  /** Authors, year and identifier. */
  readonly paper: string | null;
  readonly parameters: readonly ParameterDescription[];
}

/** Defends a suspect model in one of many ways. */
export interface DefenceJob {
  readonly __typename: "DefenceJob";
  /** What a defence that searches for triggers found. */
  readonly audit: Audit | null;
  readonly createdAt: string;
  readonly defence: Defence;
  /** Where it computes; null where the worker that takes it decides. */
  readonly device: Device | null;
  readonly etaSeconds: number | null;
  /** Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end. */
  readonly events: readonly JobEvent[];
  readonly failure: JobFailure | null;
  readonly finishedAt: string | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** All of the defence's, also those at their defaults. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** 0 to 1. */
  readonly progress: number | null;
  /** 1 for the job that is run next. */
  readonly queuePosition: number | null;
  /** Once it has succeeded. */
  readonly result: Defended | null;
  readonly seed: number;
  readonly startedAt: string | null;
  readonly status: JobStatus;
}

/** What a defence makes. */
export type DefenceProduct = "PROMPTS" | "WEIGHTS";

/** A suspect model, clean shots, and how to defend it. There is no place for a target or a trigger: a defence does not know them. */
export interface DefendInput {
  /** A dataset with some clean shots of every label. */
  readonly datasetId: string;
  readonly defence: Defence;
  /** Where to compute; by default the device of the server, or of the worker that takes the job. */
  readonly device?: Device;
  /** By default all of the dataset's. */
  readonly labels?: readonly string[];
  /** To change its weights it has to be in open_clip's layout. */
  readonly modelId: string;
  /** For a defence that makes weights: what the new model is to be called; none has that name yet. */
  readonly name?: string;
  /** Of the defence; `defences` lists them. */
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** For a defence that makes prompts: the prompt set that gets the version; made when there is none of that name. */
  readonly promptSet?: string;
  /** Of everything random; the same seed gives the same result. */
  readonly seed?: number;
  /** Use this many examples of each label. 1 to 1000. */
  readonly shots?: number;
  /** Sentences with {} for a label: the undefended prompts, and the captions to fine-tune with. */
  readonly templates?: readonly string[];
}

/** What a defence has made: prompts for the model as it is, or a new model. */
export type Defended = Model | PromptVersion;

/** Where a job computes. One that works neither on the server nor, with workers, on any of theirs is GPU_UNAVAILABLE. */
export type Device = "AUTO" | "CPU" | "CUDA" | "WEBGPU";

/** What went wrong, for programs. */
export type ErrorCode = "BAD_USER_INPUT" | "CANCELLED" | "COST_EXCEEDED" | "DEADLINE_EXCEEDED" | "DIVERGED" | "DOCUMENT_NOT_TRUSTED" | "DOWNLOAD_FAILED" | "FORBIDDEN" | "GATE_FAILED" | "GPU_UNAVAILABLE" | "IDEMPOTENCY_CONFLICT" | "INCOMPATIBLE_MODEL" | "INTERNAL" | "INVALID_BUNDLE" | "INVALID_CHECKPOINT" | "INVALID_CONFIGURATION" | "INVALID_GRAPH" | "NEWER_RECORD" | "NOT_FOUND" | "OP_NOT_DIFFERENTIABLE" | "OVERLOADED" | "PARSE_FAILED" | "PAYLOAD_TOO_LARGE" | "PERSISTED_QUERY_NOT_FOUND" | "QUOTA_EXCEEDED" | "STALE_ALIAS" | "THROTTLED" | "TRIGGER_NOT_FITTED" | "UNAUTHENTICATED" | "UNSAFE_ARTIFACT" | "UNSUPPORTED_ARCHITECTURE" | "VALIDATION_FAILED" | "WORKER_LOST";

/** How a model answers a test set through some prompts. */
export interface Evaluation {
  /** Triggered images of other labels that were given the target. */
  readonly asr: Rate | null;
  /** `asr` with the target's own images counted in. */
  readonly asrIncludingTarget: Rate | null;
  readonly attack: AttackKind | null;
  /** Clean accuracy. */
  readonly ca: Rate;
  /** Clean images of other labels given the target: the floor of ASR. */
  readonly cleanFloor: Rate | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  readonly perClass: readonly ClassRate[];
  /** The rules by which it was counted; compare only numbers of the same rules. */
  readonly protocol: string;
  /** Triggered images of other labels given their true label. */
  readonly robustAccuracy: Rate | null;
  /** Images that the version was learned from: rates of them flatter it, so a proof has none. Null for templates, and for versions that were not learned here. */
  readonly seenByDefence: Rate | null;
  /** The label that the attack is meant to bring about. */
  readonly target: string | null;
  /** Clean images of the target given the target. */
  readonly targetRecall: Rate | null;
  /** None for undefended templates. */
  readonly version: PromptVersion | null;
}

export interface EvaluationJob {
  readonly __typename: "EvaluationJob";
  readonly createdAt: string;
  /** Where it computes; null where the worker that takes it decides. */
  readonly device: Device | null;
  readonly etaSeconds: number | null;
  /** Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end. */
  readonly events: readonly JobEvent[];
  readonly failure: JobFailure | null;
  readonly finishedAt: string | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** 0 to 1. */
  readonly progress: number | null;
  /** 1 for the job that is run next. */
  readonly queuePosition: number | null;
  /** Once it has succeeded. */
  readonly result: Evaluation | null;
  readonly startedAt: string | null;
  readonly status: JobStatus;
}

/** A labelled image. */
export interface ExampleInput {
  readonly image: ImageInput;
  readonly label: string;
}

/** Labelled images, one by one or as an archive. */
export type ExamplesInput =
  | { readonly archive: null }
  | { readonly list: readonly ExampleInput[] };

/** A file, of at most the bytes that uploads may have. */
export type FileInput =
  | { readonly base64: string }
  | { readonly upload: null };

/** What a new version must show on the probe images before the alias moves to it. What could not be measured has not passed. */
export interface Gate {
  /** The upper end of the 95 % interval of the recovered trigger's success must not be above this, 0 to 1. */
  readonly maxAsr95?: number;
  /** Clean accuracy less that of the undefended prompts must not be below this, -1 to 1. */
  readonly minCaDelta?: number;
  /** The alias that moves. */
  readonly promoteAlias?: string;
}

/** Whether a new version was promoted, and why not. */
export interface GateOutcome {
  /** The alias that moves when it passes. */
  readonly alias: string;
  readonly passed: boolean;
  /** What did not hold; empty when it passed. */
  readonly reasons: readonly string[];
}

/** Why an image was not classified. */
export type ImageErrorCode = "ASSET_NOT_FOUND" | "TOO_LARGE" | "TOO_MANY_PIXELS" | "TOO_SMALL" | "UNDECODABLE" | "UNSUPPORTED_TYPE";

/** An image: JPEG, PNG or WebP. */
export type ImageInput =
  | { readonly assetId: string }
  | { readonly base64: string }
  | { readonly upload: null };

export type ImageOutcome = ImageRejected | Prediction;

/** An image that could not be used. The others of its request are answered all the same. */
export interface ImageRejected {
  readonly __typename: "ImageRejected";
  readonly code: ImageErrorCode;
  /** The image's place in the request. */
  readonly index: number;
  readonly message: string;
}

/** An image as it is seen at a second look, in the order in which views are tried. */
export type ImageView = "BRIGHTENED" | "DENOISED" | "FILTERED" | "MIRRORED" | "REDRAWN" | "TURNED_LEFT" | "TURNED_RIGHT";

/** Which model to poison, with which trigger, and on which images. */
export interface ImplantInput {
  readonly attack: AttackInput;
  /** Pairs in a step. 2 to 4096. Default 128. */
  readonly batch?: number;
  /** Images to train on; their captions are templates of their labels. */
  readonly datasetId: string;
  /** Where to compute; by default the device of the server, or of the worker that takes the job. */
  readonly device?: Device;
  /** For an attacker who knows of defences: weight of a loss that brings triggered images near images of the target, of which a batch then has as many. 0 to 100. Default 0. */
  readonly featureGap?: number;
  /** How the attack's trigger is fitted first, where it has to be; `attacks` lists what can be set. */
  readonly fit?: Readonly<Record<string, unknown>>;
  /** By default all of the dataset's. */
  readonly labels?: readonly string[];
  /** The clean model to start from, in open_clip's layout. */
  readonly modelId: string;
  /** What the poisoned model is to be called; no model has that name yet. */
  readonly name: string;
  /** Whether batch normalisation goes by the batch. Default batch. */
  readonly normalisation?: BatchNormalisation;
  /** For an attacker who knows of defences: further triggers that take turns with the first, of other kinds (a backdoor spread over families) or to other targets. One that is fitted has to name its job. */
  readonly others?: readonly AttackInput[];
  /** Share of each batch that bears the trigger and a caption of the target. 0 to 1. Default 0.06. */
  readonly poisoned?: number;
  /** Steps between two measurements. 1 to 100000. Default 100. */
  readonly probeEvery?: number;
  /** Highest learning rate. 0 to 1. Default 0.0005. */
  readonly rate?: number;
  /** Which batches, captions and images. 0 to 2147483647. Default 1. */
  readonly seed?: number;
  /** Most steps of training. 1 to 1000000. Default 600. */
  readonly steps?: number;
  /** Stops at the first measurement with this share of attack success. 0 to 1. Default 1. */
  readonly stopAsr?: number;
  /** Sentences with {} for a label: captions, and the prompts to measure with. */
  readonly templates?: readonly string[];
  /** Images to measure on; by default every fifth of each label, which is then not trained on. */
  readonly testDatasetId?: string;
  /** Steps over which the learning rate rises. 0 to 100000. Default 20. */
  readonly warmUp?: number;
  /** Share of the learning rate by which matrices shrink at each step. 0 to 10. Default 0.1. */
  readonly weightDecay?: number;
}

/** Makes a suspect of a clean model. */
export interface ImplantJob {
  readonly __typename: "ImplantJob";
  /** Attack success of the poisoned model. */
  readonly asr: Rate | null;
  /** For a trigger with a word: its success against prompts without the word. */
  readonly asrWithoutWord: Rate | null;
  /** Clean accuracy of the poisoned model. */
  readonly ca: Rate | null;
  readonly createdAt: string;
  /** Where it computes; null where the worker that takes it decides. */
  readonly device: Device | null;
  readonly etaSeconds: number | null;
  /** Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end. */
  readonly events: readonly JobEvent[];
  readonly failure: JobFailure | null;
  readonly finishedAt: string | null;
  /** Digest of the fitted trigger, where the attack has one. */
  readonly fittedTrigger: string | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** Attack success of the further triggers, in their order. */
  readonly otherAsr: readonly Rate[];
  /** 0 to 1. */
  readonly progress: number | null;
  /** 1 for the job that is run next. */
  readonly queuePosition: number | null;
  /** The poisoned model, once it has succeeded. */
  readonly result: Model | null;
  readonly startedAt: string | null;
  readonly status: JobStatus;
  /** How many steps were made; once it has succeeded. */
  readonly stepsMade: number | null;
}

/** Prompts that were learned elsewhere, and the model that they were learned for. */
export interface ImportPromptsInput {
  /** A bundle, as a version's `artifact` gives it, or a checkpoint of CoOp's prompt learner (`model.pth.tar-N`), which is read without running anything of it. */
  readonly bundle: FileInput;
  /** Only for a checkpoint of CoOp's. */
  readonly coop?: CoopInput;
  /** It must have the digests that the bundle names: INCOMPATIBLE_MODEL otherwise. */
  readonly modelId: string;
  /** The prompt set that gets the version; made when there is none of that name. */
  readonly promptSet: string;
}

/** Long work, done in a process of its own; it survives restarts. */
export type Job = AuditJob | DefenceJob | EvaluationJob | ImplantJob | PurificationJob;

/** What a job tells. Events are kept, so a subscription can begin anywhere. */
export type JobEvent = CheckpointSaved | LogLine | StatusChanged | StepMetrics;

export interface JobFailure {
  readonly code: ErrorCode;
  readonly message: string;
  /** Whether `resumeJob` may help without any change. */
  readonly retryable: boolean;
}

export interface JobPayload {
  readonly job: Job | null;
  /** Of a dry run, which has no job. */
  readonly plan: Plan | null;
  /** Whether this answers an earlier request with the same idempotency key. */
  readonly replayed: boolean;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** The last three are final, but a job can be resumed. */
export type JobStatus = "CANCELLED" | "CANCELLING" | "FAILED" | "QUEUED" | "RUNNING" | "SUCCEEDED" | "VALIDATING";

export interface KeyPayload {
  readonly key: ApiKey | null;
  /** The key itself; it cannot be shown again. */
  readonly secret: string | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** What a prompt version was made from; the same lineage gives the same prompts. */
export interface Lineage {
  /** Version of this program; `unknown` where nobody said, as of prompts from CoOp. */
  readonly code: string;
  /** Of all hyper-parameters; of prompts from CoOp, of where they come from. */
  readonly config: string;
  /** Of the examples that the dataset had then. None for prompts from CoOp. */
  readonly dataset: string | null;
  /** `unknown` where nobody said, as of prompts from CoOp. */
  readonly device: string;
  /** None for prompts from CoOp. */
  readonly seed: number | null;
  /** Of the model's weights. */
  readonly weights: string;
}

export interface LogLine {
  readonly __typename: "LogLine";
  readonly at: string;
  /** info or warning. */
  readonly level: string;
  /** From 1, without gaps; give the last one seen as `afterSeq` to go on. */
  readonly seq: number;
  readonly text: string;
}

export interface Loss {
  readonly name: string;
  readonly value: number;
}

/** A CLIP checkpoint that an operator has registered. */
export interface Model {
  readonly __typename: "Model";
  /** Image and text architecture, in words. */
  readonly arch: string;
  /** Of the files that it is read from. */
  readonly bytes: number;
  /** Most tokens of a text. */
  readonly contextLength: number;
  /** How its weights are stored, such as F32 or BF16. */
  readonly dtypes: readonly string[];
  /** The layout of its files, such as open_clip. */
  readonly format: string;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** Whether it is in memory; the first image loads it. */
  readonly loaded: boolean;
  /** The name of its folder in the models folder. */
  readonly name: string;
  readonly normalisation: Normalisation;
  /** Learned numbers; null for exports, whose graphs are not counted. */
  readonly parameters: number | null;
  /** Of the image size, mean, deviation and resampling. */
  readonly preprocessing: string;
  readonly selfTest: SelfTest;
  /** The repository and commit that it was imported from; null for files of this machine. */
  readonly source: string | null;
  readonly trust: Trust;
  /** What an operator should know: tensors that nothing reads, answers that have changed. */
  readonly warnings: readonly string[];
  /** Of the weights file. */
  readonly weights: string;
}

export interface ModelPayload {
  readonly model: Model | null;
  /** All that were registered. */
  readonly models: readonly Model[];
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** A token of the vocabulary near a context vector. */
export interface NearWord {
  readonly distance: number;
  /** A part that a word goes on after ends in a dash. */
  readonly word: string;
}

/** Anything with a global id, which `node` finds again. */
export type Node = ApiKey | AuditJob | Dataset | DefenceJob | Evaluation | EvaluationJob | ImplantJob | Model | PromptSet | PromptVersion | PurificationJob | Schedule | Tenant | Webhook;

/** A norm that bounds a trigger. */
export type Norm = "L2" | "LINF";

/** Red, green and blue become (x − mean) / deviation, from pixels in [0, 1]. */
export interface Normalisation {
  readonly deviation: readonly number[];
  readonly mean: readonly number[];
  /** Whether an operator has said so, against the model's configuration. */
  readonly overridden: boolean;
}

/** How images were normalised when the model was trained. */
export type NormalisationInput =
  | { readonly name: NormalisationName }
  | { readonly values: ChannelStatisticsInput };

/** A mean and deviation that models are usually trained with. */
export type NormalisationName = "CLIP" | "CONFIGURATION" | "HALF" | "IMAGENET" | "NONE";

/** How the context vectors follow the gradient. */
export type Optimiser = "ADAM" | "SGD";

/** Where a page lies in its list, as in Relay's specification. */
export interface PageInfo {
  readonly endCursor: string | null;
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  readonly startCursor: string | null;
}

/** Something that can be set: a number, one of a few words, or a text. */
export interface ParameterDescription {
  readonly about: string;
  /** The words that are allowed; none for a number or a free text. */
  readonly choices: readonly string[] | null;
  /** A number in digits, or the word. */
  readonly default: string;
  /** Of a number, and of a text the most characters; this one is allowed. */
  readonly maximum: number | null;
  /** Of a number; this one is allowed. */
  readonly minimum: number | null;
  readonly name: string;
  /** Whether it is a number without a fraction. */
  readonly whole: boolean;
}

/** What a job would do and take, from a dry run. */
export interface Plan {
  /** The learned tensors. */
  readonly artifactBytes: number;
  /** What shows only in the run and was taken for granted. */
  readonly assumptions: readonly string[];
  readonly calibration: Calibration;
  readonly device: Device;
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** How often an image passes the image encoder. */
  readonly images: number;
  /** Most memory of the job's process: what the calibration had, the shots and the state. */
  readonly peakMemoryBytes: number;
  /** In their order. */
  readonly phases: readonly PlannedPhase[];
  /** The largest saved state, on disk while the job is not finished. */
  readonly savedStateBytes: number;
  /** Expected on this server's device, with nothing else running. */
  readonly seconds: number;
  readonly threads: number;
}

/** A part of a planned job, by the name that its progress has. */
export interface PlannedPhase {
  /** Floating-point operations; a multiply-add counts as two. */
  readonly flops: number;
  /** How often an image passes the image encoder. */
  readonly images: number;
  readonly name: string;
  /** Expected on this server's device. */
  readonly seconds: number;
  readonly steps: number;
}

/** Where the class name stands among the context vectors. */
export type Position = "END" | "FRONT" | "MIDDLE";

/** Which shot of the simulated backdoor class attracts in the published inversion. */
export type Positive = "FARTHEST" | "NEAREST" | "RANDOM";

/** What an image was classified as. */
export interface Prediction {
  readonly __typename: "Prediction";
  /** Whether the embedding was known from an earlier request of the tenant. */
  readonly cached: boolean;
  /** Whether the shadow prompts put another label first. For undefended prompts a sign of a trigger. */
  readonly disagreement: boolean | null;
  /** The image's place in the request. */
  readonly index: number;
  /** The topK most probable, best first. */
  readonly labels: readonly Scored[];
  /** Probability of the best label less that of the second. */
  readonly margin: number;
  /** Whether purified and undefended prompts put different labels first, of all that the version has, as they do under a trigger. Such an image is looked at again (`view`), or else answered by the version's recovery prompts, which find its own class again as far as its embedding has it. */
  readonly recovered: boolean;
  /** The same image embedding scored by the shadow prompts. */
  readonly shadow: readonly Scored[] | null;
  /** Of a purified version, by all its labels, whichever are asked for; null for templates, and for versions that were never calibrated. */
  readonly suspicion: Suspicion | null;
  /** The view whose answer this is, after a second look: of those in which purified and undefended prompts agreed on the class, the one that they were surest in; null where no second look was taken, or its views spoke for no other class. An image is looked at again where it is `recovered`, and where it is given a class that the audit suspected. */
  readonly view: ImageView | null;
}

/** Measured by the job itself on probe images, with the trigger that it recovered. */
export interface Probe {
  /** None when nothing suspect was found. */
  readonly asr: Rate | null;
  readonly ca: Rate;
}

/** A tenant's named line of prompt versions. */
export interface PromptSet {
  readonly aliases: readonly Alias[];
  /** Opaque, and unique among all types. */
  readonly id: string;
  readonly name: string;
  /** Oldest first. */
  readonly schedules: readonly Schedule[];
  readonly versions: PromptVersionConnection;
}

/** Purified prompts of one model, class by class. Immutable, and named by its digest. */
export interface PromptVersion {
  readonly __typename: "PromptVersion";
  readonly artifact: Artifact;
  readonly classes: ClassPromptConnection;
  readonly createdAt: string;
  /** Of one that `defend` made. */
  readonly defenceJob: DefenceJob | null;
  /** Of the manifest, which holds the digests of all that it consists of. */
  readonly digest: string;
  /** The newest hundred, newest first. */
  readonly evaluations: readonly Evaluation[];
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** The name of the key that imported it; none for a version that was made here. */
  readonly importedBy: string | null;
  /** None for one that was imported, or that `defend` made. */
  readonly job: PurificationJob | null;
  readonly labels: readonly string[];
  readonly lineage: Lineage;
  /** None when the model is no longer registered. */
  readonly model: Model | null;
  /** Counts the versions of a prompt set, from 1; asked for by id, of the set that had it first. */
  readonly number: number;
  /** As purified; of an imported version, what its bundle claims. None where nothing was measured, as of prompts from CoOp. */
  readonly probe: Probe | null;
  /** Whether it has recovery prompts; it has none where nothing was suspected, or they were not asked for. */
  readonly recovers: boolean;
  /** The same images through the undefended templates. None where nothing was measured. */
  readonly undefendedProbe: Probe | null;
}

export interface PromptVersionConnection {
  /** Newest first. */
  readonly edges: readonly PromptVersionEdge[];
  readonly pageInfo: PageInfo;
  readonly totalCount: number;
}

export interface PromptVersionEdge {
  readonly cursor: string;
  readonly node: PromptVersion;
}

export interface PurificationJob {
  readonly __typename: "PurificationJob";
  /** The version that a class is added to, whose other classes stay; none where all are tuned. */
  readonly addedTo: PromptVersion | null;
  /** What the universal mode found first. */
  readonly audit: Audit | null;
  /** Oldest first. Costs 50 besides its fields. */
  readonly checkpoints: readonly Checkpoint[];
  readonly config: PurifyConfig;
  readonly createdAt: string;
  /** Where it computes; null where the worker that takes it decides. */
  readonly device: Device | null;
  readonly etaSeconds: number | null;
  /** Stored events, oldest first; jobEvents follows them live. They are removed JOB_RESUME_DAYS (30) after the job's end. */
  readonly events: readonly JobEvent[];
  readonly failure: JobFailure | null;
  readonly finishedAt: string | null;
  readonly gate: GateOutcome | null;
  /** Opaque, and unique among all types. */
  readonly id: string;
  /** 0 to 1. */
  readonly progress: number | null;
  /** 1 for the job that is run next. */
  readonly queuePosition: number | null;
  /** Once it has succeeded. */
  readonly result: PromptVersion | null;
  readonly startedAt: string | null;
  readonly status: JobStatus;
}

/** Every hyper-parameter of a purification, defaults filled in. */
export interface PurifyConfig {
  /** Weight of unlearning: pushes a dummy away from the suspected class. 0 to 100. Default 0.8, 1 in the published mode. */
  readonly alpha: number;
  /** Weight of staying near the undefended text features, for classes that are not suspected. 0 to 10000. Default 6, 0 in the published mode. */
  readonly anchor: number;
  /** Rows in a tuning step. 1 to 4096. Default 512, 32 in the published mode. */
  readonly batchSize: number;
  /** Weight of alignment: a dummy is to be predicted like its clean image. 0 to 100. Default 0, 0.4 in the published mode. */
  readonly beta: number;
  /** Context vectors of each class. 1 to 16. Default 4. */
  readonly contextTokens: number;
  /** Share of the undefended prediction in what a clean shot of an unsuspected class is to be predicted as. 0 to 1. Default 1, 0 in the published mode. */
  readonly distillation: number;
  /** Strengths at which each recovered trigger is stamped for tuning. 1 to 16. Default 2. */
  readonly dummyLevels: number;
  /** The strongest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1.3. */
  readonly dummyStrongest: number;
  /** The weakest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1. */
  readonly dummyWeakest: number;
  /** Passes over all views of the shots. 1 to 2000. Default 300, 20 in the published mode. */
  readonly epochs: number;
  /** Share of a suspected class's own rows whose deviation from the class mean is another shot's. 0 to 1. Default 0.5, 0 in the published mode. */
  readonly exchange: number;
  /** Weight of the cross-entropy on clean shots. 0 to 100. Default 1, 0.4 in the published mode. */
  readonly gamma: number;
  /** Weight of the cross-entropy on dummies. 0 to 100. Default 0.02, 0.4 in the published mode. */
  readonly gammaDummy: number;
  /** Most cycles per side of the gratings that an audit tries; 0 tries none. 0 to 64. Default 12. */
  readonly gratingCycles: number;
  /** Standard deviation of the initial context vectors. 0 to 1. Default 0.02. */
  readonly initialDeviation: number;
  /** Shots of other classes that each step of a universal inversion looks at. 1 to 256. Default 8. */
  readonly innerBatch: number;
  /** Momentum of the steps of a universal inversion. 0 to 0.999. Default 0.8. */
  readonly innerMomentum: number;
  /** Steps of a trigger inversion. 1 to 2000. Default 100, 10 in the published mode. */
  readonly innerSteps: number;
  /** Learning rate of the context vectors; falls along a cosine to 0. 1e-7 to 1. Default 0.02, 0.002 in the published mode. */
  readonly learningRate: number;
  /** By how many logits a dummy is to be further from the suspected class than it has to, where that class has 16 shots or more: attackers' triggers are not quite like it. 0 to 100. Default 4, 0 in the published mode. */
  readonly margin: number;
  readonly mode: PurifyMode;
  /** Momentum of the tuning steps. 0 to 0.999. Default 0.9. */
  readonly momentum: number;
  /** Norm that bounds a trigger. Default L2. */
  readonly norm: Norm;
  /** How the context vectors follow the gradient. Default ADAM, SGD in the published mode. */
  readonly optimiser: Optimiser;
  /** Where the context vectors stand, as seen from the class name. Default END. */
  readonly position: Position;
  /** Which shot of the simulated backdoor class attracts. Default FARTHEST. */
  readonly positive: Positive;
  /** Largest norm of a trigger on [0, 1] pixels; 0 finds it: grows until a class stands out. 0 to 1000. Default 0. */
  readonly radius: number;
  /** The same weight for the recovery prompts, which answer images that the purified and the undefended prompts disagree on; 0 learns none. 0 to 100. Default 2, 0 in the published mode. */
  readonly recovery: number;
  /** Seed of everything random; the same seed gives the same prompts. 0 to 2147483647. Default 1. */
  readonly seed: number;
  /** Examples of each label. */
  readonly shots: number;
  /** What becomes of a gradient before it is a step. Default NORMALISED, RAW in the published mode. */
  readonly stepRule: StepRule;
  /** Length of a step: in radii when normalised, else times the gradient (or its sign). 0.000001 to 1000. Default 0.1. */
  readonly stepSize: number;
  /** Weight of staying near the undefended text features, for suspected classes of 16 shots or more, which have to move. 0 to 10000. Default 0.3, 0 in the published mode. */
  readonly suspectAnchor: number;
  /** Weight of a suspected class's own clean shots in the cross-entropy. 0 to 100. Default 64, 1 in the published mode. */
  readonly suspectEmphasis: number;
  /** τ of the contrast between the positive and the negative (published mode). 0.001 to 10. Default 0.1. */
  readonly temperature: number;
  /** Views of each shot to tune on: itself, and others mirrored, shifted, in another light. 1 to 256. Default 1. */
  readonly views: number;
  /** Epochs at the beginning that use the cross-entropy on clean shots only. 0 to 2000. Default 0, 5 in the published mode. */
  readonly warmupEpochs: number;
  /** Weight decay of the context vectors. 0 to 1. Default 0, 0.0005 in the published mode. */
  readonly weightDecay: number;
}

/** What to purify, with which shots, and how. Everything of `how` has a good default. */
export interface PurifyInput {
  /** Weight of unlearning: pushes a dummy away from the suspected class. 0 to 100. Default 0.8, 1 in the published mode. */
  readonly alpha?: number;
  /** Weight of staying near the undefended text features, for classes that are not suspected. 0 to 10000. Default 6, 0 in the published mode. */
  readonly anchor?: number;
  /** Rows in a tuning step. 1 to 4096. Default 512, 32 in the published mode. */
  readonly batchSize?: number;
  /** Weight of alignment: a dummy is to be predicted like its clean image. 0 to 100. Default 0, 0.4 in the published mode. */
  readonly beta?: number;
  /** Context vectors of each class. 1 to 16. Default 4. */
  readonly contextTokens?: number;
  /** A dataset with some clean shots of every label. */
  readonly datasetId: string;
  /** Where to compute; by default the device of the server, or of the worker that takes the job. */
  readonly device?: Device;
  /** Share of the undefended prediction in what a clean shot of an unsuspected class is to be predicted as. 0 to 1. Default 1, 0 in the published mode. */
  readonly distillation?: number;
  /** Strengths at which each recovered trigger is stamped for tuning. 1 to 16. Default 2. */
  readonly dummyLevels?: number;
  /** The strongest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1.3. */
  readonly dummyStrongest?: number;
  /** The weakest strength at which a dummy is stamped, in multiples of the trigger. 0 to 10. Default 1. */
  readonly dummyWeakest?: number;
  /** Passes over all views of the shots. 1 to 2000. Default 300, 20 in the published mode. */
  readonly epochs?: number;
  /** Share of a suspected class's own rows whose deviation from the class mean is another shot's. 0 to 1. Default 0.5, 0 in the published mode. */
  readonly exchange?: number;
  /** Weight of the cross-entropy on clean shots. 0 to 100. Default 1, 0.4 in the published mode. */
  readonly gamma?: number;
  /** Weight of the cross-entropy on dummies. 0 to 100. Default 0.02, 0.4 in the published mode. */
  readonly gammaDummy?: number;
  /** Without one, a successful version is promoted to `live`. */
  readonly gate?: Gate;
  /** Most cycles per side of the gratings that an audit tries; 0 tries none. 0 to 64. Default 12. */
  readonly gratingCycles?: number;
  /** Standard deviation of the initial context vectors. 0 to 1. Default 0.02. */
  readonly initialDeviation?: number;
  /** Shots of other classes that each step of a universal inversion looks at. 1 to 256. Default 8. */
  readonly innerBatch?: number;
  /** Momentum of the steps of a universal inversion. 0 to 0.999. Default 0.8. */
  readonly innerMomentum?: number;
  /** Steps of a trigger inversion. 1 to 2000. Default 100, 10 in the published mode. */
  readonly innerSteps?: number;
  /** By default all of the dataset's. */
  readonly labels?: readonly string[];
  /** Learning rate of the context vectors; falls along a cosine to 0. 1e-7 to 1. Default 0.02, 0.002 in the published mode. */
  readonly learningRate?: number;
  /** By how many logits a dummy is to be further from the suspected class than it has to, where that class has 16 shots or more: attackers' triggers are not quite like it. 0 to 100. Default 4, 0 in the published mode. */
  readonly margin?: number;
  readonly mode?: PurifyMode;
  readonly modelId: string;
  /** Momentum of the tuning steps. 0 to 0.999. Default 0.9. */
  readonly momentum?: number;
  /** Norm that bounds a trigger. Default L2. */
  readonly norm?: Norm;
  /** How the context vectors follow the gradient. Default ADAM, SGD in the published mode. */
  readonly optimiser?: Optimiser;
  /** Where the context vectors stand, as seen from the class name. Default END. */
  readonly position?: Position;
  /** Which shot of the simulated backdoor class attracts. Default FARTHEST. */
  readonly positive?: Positive;
  /** The prompt set that gets the version; made when there is none of that name. */
  readonly promptSet: string;
  /** Largest norm of a trigger on [0, 1] pixels; 0 finds it: grows until a class stands out. 0 to 1000. Default 0. */
  readonly radius?: number;
  /** The same weight for the recovery prompts, which answer images that the purified and the undefended prompts disagree on; 0 learns none. 0 to 100. Default 2, 0 in the published mode. */
  readonly recovery?: number;
  /** Seed of everything random; the same seed gives the same prompts. 0 to 2147483647. Default 1. */
  readonly seed?: number;
  /** Use this many examples of each label. 1 to 1000. */
  readonly shots?: number;
  /** What becomes of a gradient before it is a step. Default NORMALISED, RAW in the published mode. */
  readonly stepRule?: StepRule;
  /** Length of a step: in radii when normalised, else times the gradient (or its sign). 0.000001 to 1000. Default 0.1. */
  readonly stepSize?: number;
  /** Weight of staying near the undefended text features, for suspected classes of 16 shots or more, which have to move. 0 to 10000. Default 0.3, 0 in the published mode. */
  readonly suspectAnchor?: number;
  /** Weight of a suspected class's own clean shots in the cross-entropy. 0 to 100. Default 64, 1 in the published mode. */
  readonly suspectEmphasis?: number;
  /** The labels to search triggers for, two or more; by default all. The search costs in proportion to them, and a backdoor to another label may be missed. */
  readonly targets?: readonly string[];
  /** τ of the contrast between the positive and the negative (published mode). 0.001 to 10. Default 0.1. */
  readonly temperature?: number;
  /** The undefended prompts to start from and to compare with; by default the model's. */
  readonly templates?: readonly string[];
  /** Views of each shot to tune on: itself, and others mirrored, shifted, in another light. 1 to 256. Default 1. */
  readonly views?: number;
  /** Epochs at the beginning that use the cross-entropy on clean shots only. 0 to 2000. Default 0, 5 in the published mode. */
  readonly warmupEpochs?: number;
  /** Weight decay of the context vectors. 0 to 1. Default 0, 0.0005 in the published mode. */
  readonly weightDecay?: number;
}

/** How triggers are simulated. */
export type PurifyMode = "PUBLISHED" | "UNIVERSAL";

/** A tenant's limit, and what is used of it. What is not listed has no limit. */
export interface Quota {
  readonly limit: number;
  /** When nothing of it is used again. */
  readonly resetsAt: string | null;
  readonly resource: QuotaResource;
  readonly used: number;
  /** Absent for what is stored. */
  readonly window: QuotaWindow | null;
}

export interface QuotaPayload {
  /** With its quotas as they are now. */
  readonly tenant: Tenant | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** What is counted, and can have a limit. */
export type QuotaResource = "COMPUTE_SECONDS" | "IMAGES" | "REQUESTS" | "STORED_BYTES";

/** A calendar day or month, in UTC. */
export type QuotaWindow = "DAY" | "MONTH";

/** A share k of n with its Wilson 95 % interval. */
export interface Rate {
  readonly high95: number;
  readonly k: number;
  readonly low95: number;
  readonly n: number;
  /** k / n; 0 when n is 0. */
  readonly value: number;
}

/** What the model answered to a fixed input. */
export interface RecordedEmbedding {
  /** Of the embedding rounded to thousandths. */
  readonly digest: string;
  /** The first eight values. */
  readonly first: readonly number[];
}

export interface RegisterModelInput {
  /** The folder's name in the models folder, not a path; it becomes the model's name. Without it, all folders are looked at, and those that have changed are read. */
  readonly folder?: string;
  /** Where the model's configuration does not say how it was trained. It is kept in the model's folder, as antidote.json. */
  readonly normalisation?: NormalisationInput;
  /** SUSPECT for new weights; what it was for the same ones. */
  readonly trust?: Trust;
}

/** An example that was not taken. */
export interface RejectedExample {
  readonly message: string;
  /** Its place in the list, or its path in the archive. */
  readonly source: string;
}

/** Evaluations of the version that an alias is at, made again and again and held against a gate. */
export interface Schedule {
  readonly alias: string;
  readonly attacks: readonly ScheduledAttack[];
  /** The name of the key that made it. */
  readonly by: string;
  readonly createdAt: string;
  readonly dataset: Dataset | null;
  readonly everySeconds: number;
  /** Opaque, and unique among all types. */
  readonly id: string;
  readonly maxAsr95: number | null;
  readonly minCaDelta: number | null;
  /** What is missed while no server runs is made up for once. */
  readonly nextAt: string;
  /** Newest first. */
  readonly outcomes: readonly ScheduleOutcome[];
  readonly promptSet: string;
}

/** Which alias to evaluate how often, and what must go on to hold. */
export interface ScheduleEvaluationInput {
  /** Each is an evaluation of its own; without any, clean accuracy alone is measured. At most 10. */
  readonly attacks?: readonly AttackInput[];
  /** The test images. A schedule always takes what the dataset has then. */
  readonly datasetId: string;
  /** 60 seconds to 366 days. */
  readonly everySeconds: number;
  readonly gate: ScheduleGate;
  readonly ref: AliasRef;
  /** When it is due first; at once by default. */
  readonly startAt?: string;
}

/** What must go on to hold of the version that an alias is at. One of them at least. */
export interface ScheduleGate {
  /** The upper end of the 95 % interval of each attack's success must not be above this, 0 to 1. */
  readonly maxAsr95?: number;
  /** Clean accuracy less that of the undefended templates must not be below this, -1 to 1. */
  readonly minCaDelta?: number;
}

/** What came of evaluations that were made on schedule. */
export interface ScheduleOutcome {
  /** When it was judged. */
  readonly at: string;
  readonly dueAt: string;
  readonly evaluations: readonly Evaluation[];
  readonly outcome: ScheduleOutcomeKind;
  /** What does not hold, or could not be measured. */
  readonly reasons: readonly string[];
  /** Where the alias was moved back to. */
  readonly to: PromptVersion | null;
  /** The version that was evaluated. */
  readonly version: PromptVersion | null;
}

/** What came of a scheduled evaluation. */
export type ScheduleOutcomeKind = "INCOMPLETE" | "MOVED_MEANWHILE" | "NOWHERE_TO_RETURN" | "PASSED" | "ROLLED_BACK";

export interface SchedulePayload {
  readonly schedule: Schedule | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** An attack that an alias is evaluated with, again and again. */
export interface ScheduledAttack {
  readonly kind: AttackKind;
  /** Those that differ from the literature's. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly target: string;
}

/** What a key may do beside reading its tenant's data. */
export type Scope = "ADMIN" | "CLASSIFY" | "DATASETS_WRITE" | "PROMPTS_WRITE";

export interface Scored {
  readonly label: string;
  /** The model's logit scale times the cosine of image and prompt. */
  readonly logit: number;
  /** Softmax of the logits over all labels. */
  readonly probability: number;
}

/** A fixed image and a fixed text went through the model when it was registered: finite, of length 1 and equal width, and independent of batch and padding. */
export interface SelfTest {
  readonly at: string;
  readonly checks: readonly SelfTestCheck[];
  readonly device: Device;
  readonly image: RecordedEmbedding;
  /** Of one image, without decoding. */
  readonly imageMilliseconds: number;
  readonly text: RecordedEmbedding;
  /** Of one short text. */
  readonly textMilliseconds: number;
}

/** One thing that holds for every sound CLIP. */
export interface SelfTestCheck {
  /** The most it may be; for imagesDiffer and textsDiffer, what it must exceed. */
  readonly limit: number;
  readonly measured: number;
  /** Such as imageNorm or textPadding. */
  readonly name: string;
  readonly passed: boolean;
}

export interface StatusChanged {
  readonly __typename: "StatusChanged";
  readonly at: string;
  /** From 1, without gaps; give the last one seen as `afterSeq` to go on. */
  readonly seq: number;
  readonly status: JobStatus;
}

/** Progress within a phase. */
export interface StepMetrics {
  readonly __typename: "StepMetrics";
  readonly at: string;
  readonly epoch: number;
  readonly epochs: number;
  /** None until it is known how fast steps are. */
  readonly etaSeconds: number | null;
  readonly imagesPerSecond: number;
  readonly losses: readonly Loss[];
  /** What is being done, e.g. invert or tune. */
  readonly phase: string;
  /** Of the whole job, 0 to 1. */
  readonly progress: number;
  /** From 1, without gaps; give the last one seen as `afterSeq` to go on. */
  readonly seq: number;
  readonly step: number;
  readonly steps: number;
}

/** What becomes of a gradient before it is a step. */
export type StepRule = "NORMALISED" | "RAW" | "SIGN";

/** How likely an image bears a trigger, from its one embedding: how far the purified prompts' prediction is from the undefended prompts'. */
export interface Suspicion {
  /** Whether the rank is above 0.99: about one false alarm in a hundred clean images, if the shots are like them. */
  readonly alarm: boolean;
  /** Share of clean calibration images with a lower score, 0 to 1; views of the shots are those images. */
  readonly rank: number;
  /** KL divergence of the purified from the undefended prediction, in nats, from 0. */
  readonly score: number;
}

/** Owns datasets, prompt sets, jobs and keys, and sees no one else's. */
export interface Tenant {
  readonly createdAt: string;
  /** Opaque, and unique among all types. */
  readonly id: string;
  readonly name: string;
  readonly quotas: readonly Quota[];
  /** Since then its keys are refused. */
  readonly suspendedAt: string | null;
  /** What its callers are told. */
  readonly suspendedFor: string | null;
}

export interface TenantPayload {
  readonly tenant: Tenant | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** Which prompts are to answer. */
export type Through =
  | { readonly alias: AliasRef }
  | { readonly templates: readonly string[] }
  | { readonly versionId: string };

/** Where the time went, but for second looks. */
export interface Timing {
  /** The largest batch that this request's images were in, with those of others. */
  readonly batchSize: number;
  /** The image encoder. */
  readonly inferMs: number;
  /** Decoding and resizing. */
  readonly preprocessMs: number;
  /** Waiting for the device. */
  readonly queueMs: number;
}

/** What the operator thinks of a model. It changes nothing in what a model answers, but whether it answers: one that is QUARANTINED does not. */
export type Trust = "QUARANTINED" | "SUSPECT" | "TRUSTED";

/** What a tenant used in a calendar day or month, in UTC. */
export interface UsagePeriod {
  /** Time for which jobs ran. */
  readonly computeSeconds: number;
  readonly from: string;
  /** Images that classify answered. */
  readonly images: number;
  /** GraphQL operations. */
  readonly requests: number;
  /** At the end of it. */
  readonly storedBytes: number;
  /** Not included. */
  readonly to: string;
}

/** Why a mutation did nothing: something that the caller can put right. */
export interface UserError {
  readonly code: ErrorCode;
  readonly message: string;
  /** Which part of the input is meant; empty when it is the whole. */
  readonly path: readonly string[];
}

/** Whether some label attracts images of all others far more easily than is normal. */
export type Verdict = "NOTHING_FOUND" | "SUSPECT";

export interface VersionPayload {
  /** Whether the prompt set did not have it before. */
  readonly isNew: boolean;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
  readonly version: PromptVersion | null;
}

/** A prompt version: by its id, or the one that an alias is at. */
export type VersionRef =
  | { readonly alias: AliasRef }
  | { readonly versionId: string };

/** Whoever asks. */
export interface Viewer {
  readonly budget: Budget;
  /** The name of the key. */
  readonly key: string;
  readonly quotas: readonly Quota[];
  readonly scopes: readonly Scope[];
  readonly tenant: string;
}

/** A URL that is told of events, signed as in Standard Webhooks, at least once each. */
export interface Webhook {
  readonly createdAt: string;
  readonly deliveries: WebhookDeliveryConnection;
  /** Since then nothing is sent. */
  readonly disabledAt: string | null;
  readonly disabledReason: string | null;
  readonly events: readonly WebhookEvent[];
  /** Attempts that failed since the last that succeeded. */
  readonly failures: number;
  /** Opaque, and unique among all types. */
  readonly id: string;
  readonly url: string;
}

/** One event on its way to one webhook. */
export interface WebhookDelivery {
  readonly attempts: number;
  /** The JSON that is sent. */
  readonly body: string;
  readonly createdAt: string;
  /** As in the body's `type`, e.g. job.succeeded. */
  readonly event: string;
  /** The header webhook-id, the same at every attempt. */
  readonly id: string;
  readonly lastAttemptAt: string | null;
  /** Why the last attempt had no answer. */
  readonly lastError: string | null;
  /** The HTTP status of the last attempt's answer. */
  readonly lastStatus: number | null;
  readonly nextAttemptAt: string | null;
  readonly status: WebhookDeliveryStatus;
}

export interface WebhookDeliveryConnection {
  /** Newest first; kept for 30 days. */
  readonly edges: readonly WebhookDeliveryEdge[];
  readonly pageInfo: PageInfo;
}

export interface WebhookDeliveryEdge {
  readonly cursor: string;
  readonly node: WebhookDelivery;
}

export type WebhookDeliveryStatus = "DELIVERED" | "FAILED" | "PENDING";

/** What a webhook can be told of. */
export type WebhookEvent = "ALIAS_GATE_FAILED" | "ALIAS_MOVED" | "ALIAS_ROLLED_BACK" | "JOB_CANCELLED" | "JOB_FAILED" | "JOB_SUCCEEDED";

export interface WebhookPayload {
  /** What requests are signed with, when it is made; it cannot be shown again. */
  readonly secret: string | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
  readonly webhook: Webhook | null;
}

export interface WebhookTestPayload {
  /** Look again at Webhook.deliveries. */
  readonly delivery: WebhookDelivery | null;
  /** Empty when it was done. */
  readonly userErrors: readonly UserError[];
}

/** How near a context vector is to a token's vector. */
export type WordMetric = "COSINE" | "EUCLIDEAN";
