export { createHttpReceiver, type HttpReceiver, type HttpReceiverOptions } from './httpReceiver.ts';
