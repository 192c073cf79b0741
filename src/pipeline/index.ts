export { definePipeline } from './definePipeline.ts';
export { isSecret, kindsText } from './issueProblems.ts';
export { isMirrored } from './mirror.ts';
export { type OptionProblem, optionPath, problemText } from './optionProblem.ts';
export { type PipelineSpec, type PipelineSpecInput, pipelineSpec } from './optionsSpec.ts';
export {
  type OptionKind,
  type OptionNode,
  optionAt,
  optionTree,
  pipelineJsonSchema,
  walkOptions,
} from './optionTree.ts';
export type {
  PartitionStatus,
  Pipeline,
  PipelineHost,
  PipelineOptions,
  PipelineResult,
  PipelineStatus,
  StartOptions,
  Transform,
} from './publicTypes.ts';
export { parseOptions, validateOptions } from './validateOptions.ts';
