export { editorSchema } from './editorSchema.ts';
export { type Explanation, explainPipeline, explanationText, type OptionOrigin } from './explain.ts';
export { type LoadedPipeline, loadPipelineFile, type PipelineFile, readPipelineFile } from './pipelineFile.ts';
export { type Redact, redactor, redactValue, secretsOf } from './redact.ts';
export type { Environment } from './variables.ts';
