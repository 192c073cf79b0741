export { type DirectOptions, DirectSource } from './directSource.ts';
